// Photo from the camera of a computer. Phones take it with the camera application instead.

export const hasCamera = Boolean(navigator.mediaDevices?.getUserMedia);

export class Camera {
  /** `panel` contains the video and is hidden while the camera is off. */
  constructor(panel, video) {
    this.panel = panel;
    this.video = video;
    this.stream = null;
  }

  async start() {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      this.stop(); // of an earlier click
      this.stream = stream;
    } catch (error) {
      const reasons = { NotAllowedError: "this page has no permission", NotReadableError: "another program uses it" };
      const reason = reasons[error.name] ?? "no camera was found";
      throw new Error(`The camera cannot be used: ${reason}. Choose an image instead.`);
    }
    this.video.srcObject = this.stream;
    this.panel.hidden = false;
    await this.video.play();
  }

  /** Return the current frame as a JPEG file, and turn the camera off. */
  async take() {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.video.videoWidth, this.video.videoHeight];
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    this.stop();
    return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = this.video.srcObject = null;
    this.panel.hidden = true;
  }
}
