"""What the interface answers, as its OpenAPI document describes it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

Confidence = Field(ge=0, le=1.0001, description="The model's probability, 0 to 1.", examples=[0.97])
Seen = Field(default=None, description="What the network saw, a PNG file in base 64; only where it was asked for.")
BOX = Field(
    min_length=4,
    max_length=4,
    description="Left, top, right, bottom in pixels of the upright image; right and bottom are the first outside.",
    examples=[[12, 8, 40, 61]],
)


class Alternative(BaseModel):
    """What else it may be."""

    label: str = Field(examples=["1"])
    confidence: float = Confidence


class Prediction(BaseModel):
    """The most probable class of one image."""

    input: str = Field(description='The file\'s name, or "image".', examples=["seven.png"])
    label: str = Field(examples=["7"])
    confidence: float = Confidence
    alternatives: list[Alternative] = Field(description="The next classes, best first.")
    seen: str | None = Seen


class Predictions(BaseModel):
    """One record an image, in the order they were sent."""

    predictions: list[Prediction]


class Digit(BaseModel):
    """One digit that was read."""

    label: str = Field(examples=["7"])
    confidence: float = Confidence
    box: list[int] = BOX
    alternatives: list[Alternative] = Field(description="The next digits, best first.")
    seen: str | None = Seen


class Mark(BaseModel):
    """A comma, dot or dash between digits."""

    position: int = Field(description="How many characters of the text stand before it.")
    box: list[int] = BOX


class NumberReading(BaseModel):
    """What stands in one image."""

    input: str = Field(description='The file\'s name, or "image".', examples=["cheque.jpg"])
    text: str = Field(description="The digits; lines are divided by line breaks.", examples=["1984"])
    confidence: float = Confidence
    digits: list[Digit]
    marks: list[Mark]
    width: int = Field(description="Of the upright image, in pixels.")
    height: int = Field(description="Of the upright image, in pixels.")


class Readings(BaseModel):
    """One record an image, in the order they were sent."""

    readings: list[NumberReading]


class Model(BaseModel):
    """The model that answers."""

    name: str = Field(description="The data it was trained on.", examples=["mnist"])
    network: str = Field(examples=["fast"])
    class_names: list[str]
    n_classes: int = Field(description="How many there are; one may be for images that show none of the others.")
    input: dict[str, int] = Field(description="Channels, height and width of what the network sees.")
    reads_numbers: bool = Field(description="Whether /v1/read takes images of whole numbers.")
    created: str
    skconv_version: str
    scores: dict[str, int | float]
    limits: dict[str, int | float]


class Problem(BaseModel):
    """Why there is no other answer."""

    detail: str = Field(description="What came, what was expected, how to mend it.")


_PROBLEMS = {
    400: "The request is cut off.",
    408: "The body took too long to arrive.",
    413: "The body is too long, or holds too many images.",
    415: "The body is of a kind that is not taken.",
    422: "Not an image, damaged, or with too many pixels; or a form that cannot be read.",
    429: "Too much is asked for at a time; Retry-After says when to ask again.",
    503: "The service is starting or ending, or there was no answer in time.",
}


def describe_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return how OpenAPI tells the answers of these statuses."""
    retry = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return {
        status: {"model": Problem, "description": _PROBLEMS[status], **({"headers": retry} if status == 429 else {})}
        for status in statuses
    }


def describe_body(example: str) -> dict[str, Any]:
    """Return how OpenAPI tells a body of images; `example` names the file."""
    binary = {"type": "string", "format": "binary"}
    files = {"type": "array", "items": binary, "minItems": 1, "description": "The image files."}
    form = {"type": "object", "properties": {"image": files}, "required": ["image"], "additionalProperties": False}
    kinds = (
        "image/png",
        "image/jpeg",
        "image/webp",
        "image/gif",
        "image/bmp",
        "image/tiff",
        "application/octet-stream",
    )
    content: dict[str, Any] = {kind: {"schema": binary} for kind in kinds}
    content["multipart/form-data"] = {"schema": form, "example": {"image": [example]}}
    return {"requestBody": {"required": True, "description": "One image, or a form of several.", "content": content}}
