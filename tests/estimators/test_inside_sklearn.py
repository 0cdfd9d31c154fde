"""`CNNClassifier` in meta-estimators, pipelines, searches and tracking tools, on scikit-learn's digits."""

import copy
import pickle

import numpy as np
import pytest
import sklearn
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import VarianceThreshold
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from skorch.callbacks import Checkpoint, EpochScoring, LRScheduler, MlflowLogger, TensorBoard

from skconv.estimators import CNNClassifier


@pytest.fixture(scope="module")
def digits():
    """Return 500 training and 300 test digits as rows of 64 values."""
    data = load_digits()
    return data.data[:500], data.target[:500], data.data[500:800], data.target[500:800]


def make(**changes):
    settings = {"max_epochs": 5, "batch_size": 50, "random_state": 0, "precision": "fp32", **changes}
    return CNNClassifier("fast", **settings)


def test_pipeline_with_a_search_over_both_steps(digits):
    X, y, X_test, y_test = digits
    pipeline = make_pipeline(MinMaxScaler(), make())
    grid = {"cnnclassifier__learning_rate": [1e-6, 0.01], "minmaxscaler__feature_range": [(0, 1)]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_params_["cnnclassifier__learning_rate"] == 0.01
    assert search.score(X_test, y_test) > 0.85


def test_fit_accepts_a_number_of_features_that_is_no_square(digits):
    X, y, X_test, y_test = digits
    pipeline = make_pipeline(VarianceThreshold(), make()).fit(X, y)
    assert pipeline[-1].image_shape_ == (1, 1, 56)  # eight pixels are constant
    assert pipeline.score(X_test, y_test) > 0.6


def test_halving_search(digits):
    X, y, X_test, y_test = digits
    search = HalvingRandomSearchCV(
        make(), {"learning_rate": [1e-6, 1e-5, 0.01]}, n_candidates=3, factor=3, cv=2, random_state=0, min_resources=100
    ).fit(X, y)
    assert search.best_params_ == {"learning_rate": 0.01} and search.score(X_test, y_test) > 0.8


def test_cross_val_predict_holds_every_image_out_once(digits):
    X, y, *_ = digits
    probabilities = cross_val_predict(make(), X, y, cv=2, method="predict_proba")
    assert probabilities.shape == (500, 10) and (probabilities.argmax(1) == y).mean() > 0.8


def test_learning_curve_rises(digits):
    X, y, *_ = digits
    _, _, scores = learning_curve(make(), X, y, train_sizes=[60, 250], cv=2)
    assert scores[1].mean() > scores[0].mean()


def test_calibrated_classifier_cv(digits):
    X, y, X_test, y_test = digits
    calibrated = CalibratedClassifierCV(make(), cv=2).fit(X, y)
    assert calibrated.score(X_test, y_test) > 0.8
    np.testing.assert_allclose(calibrated.predict_proba(X_test).sum(1), 1)


@pytest.mark.parametrize(
    "meta",
    [
        lambda: BaggingClassifier(make(), n_estimators=2, max_samples=0.8, random_state=0),
        lambda: AdaBoostClassifier(make(random_state=None), n_estimators=2, random_state=0),
        lambda: VotingClassifier([("a", make()), ("b", make(random_state=1))], voting="soft"),
        lambda: StackingClassifier([("cnn", make())], LogisticRegression(max_iter=200), cv=2),
        lambda: OneVsRestClassifier(make(max_epochs=2)),
    ],
    ids=["bagging", "adaboost", "voting", "stacking", "one_vs_rest"],
)
def test_meta_estimator_learns(meta, digits):
    X, y, X_test, y_test = digits
    assert meta().fit(X, y).score(X_test, y_test) > 0.8


def test_permutation_importance_is_higher_in_the_middle(digits):
    X, y, X_test, y_test = digits
    model = make().fit(X, y)
    middle_and_corner = permutation_importance(model, X_test, y_test, n_repeats=1, random_state=0).importances_mean
    assert middle_and_corner.reshape(8, 8)[2:6, 2:6].mean() > middle_and_corner.reshape(8, 8)[:, 0].mean() + 0.005


def test_sample_weight_is_routed_through_pipeline_and_cross_validation(digits):
    X, y, *_ = digits
    weights = (y != 3).astype(float)  # removes the digit 3
    with sklearn.config_context(enable_metadata_routing=True):
        member = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = cross_validate(
            make_pipeline(MinMaxScaler(), member), X, y, cv=2, params={"sample_weight": weights}, return_estimator=True
        )
    for pipeline in scores["estimator"]:
        assert pipeline.predict_proba(X)[:, 3].max() < 0.3


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_set_feature_names(library, digits):
    frames = pytest.importorskip(library)
    X, y, *_ = digits
    names = [f"pixel{k}" for k in range(64)]
    frame = frames.DataFrame(dict(zip(names, X.T, strict=True)))
    labels = frames.Series([f"digit {label}" for label in y])
    model = make().fit(frame, labels)
    assert list(model.feature_names_in_) == names and model.n_features_in_ == 64
    assert model.score(frame, labels) > 0.9
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[names[::-1]])


def test_read_only_memory_map_gives_the_same_predictions(digits, tmp_path):
    X, y, X_test, _ = digits
    np.save(tmp_path / "X.npy", X.astype(np.uint8).reshape(-1, 8, 8))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    one, other = make().fit(mapped, y), make().fit(np.array(mapped), y)
    rows = X_test.reshape(-1, 8, 8)
    np.testing.assert_array_equal(one.predict_proba(rows), other.predict_proba(rows))


def test_predict_returns_labels_of_python_objects(digits):
    X, y, X_test, _ = digits
    labels = np.array(["odd" if label % 2 else "even" for label in y], dtype=object)
    predicted = make().fit(X, labels).predict(X_test)
    assert set(predicted) == {"odd", "even"} and predicted.dtype == object


def test_copies_and_processes_give_the_same_predictions(digits):
    X, y, X_test, _ = digits
    model = make().fit(X, y)
    expected = model.predict_proba(X_test)
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(copied.predict_proba(X_test), expected)
    assert not hasattr(clone(model), "net_")


@pytest.mark.slow
def test_fitted_in_another_process_by_loky(digits):
    X, y, X_test, y_test = digits
    models = Parallel(n_jobs=2, backend="loky")(delayed(make(random_state=seed).fit)(X, y) for seed in (0, 1))
    assert min(model.score(X_test, y_test) for model in models) > 0.85


def test_skorch_callbacks_run(digits, tmp_path):
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    X, y, *_ = digits
    callbacks = [
        ("error", EpochScoring(lambda net, X, y: 1 - (net.predict(X) == np.asarray(y)).mean(), name="valid_error")),
        ("checkpoint", Checkpoint(monitor="valid_loss_best", dirname=tmp_path / "kept")),
        ("rate", LRScheduler("StepLR", step_size=2)),
        ("board", TensorBoard(SummaryWriter(tmp_path / "board"))),
    ]
    model = make(callbacks=callbacks, validation_fraction=0.2, schedule="constant").fit(X, y)
    last = model.net_.history[-1]
    assert last["valid_error"] == pytest.approx(1 - last["valid_acc"])
    assert (tmp_path / "kept" / "params.pt").exists() and any((tmp_path / "board").iterdir())
    assert model.history_[-1]["learning_rate"] == pytest.approx(0.01 * 0.01)


def test_mlflow_logs_every_epoch_to_a_local_store(digits, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # without a database
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    client = pytest.importorskip("mlflow").MlflowClient(tracking_uri=(tmp_path / "mlflow").as_uri())
    run = client.create_run(client.create_experiment("digits"))
    X, y, *_ = digits
    model = make(callbacks=[("mlflow", MlflowLogger(run, client))], validation_fraction=0.2).fit(X, y)
    kept = client.get_metric_history(run.info.run_id, "valid_acc")
    assert [metric.value for metric in kept] == [epoch["valid_accuracy"] for epoch in model.history_]
    assert client.get_run(run.info.run_id).info.status == "FINISHED"


def test_resampling_pipeline_balances_the_training_set_only(digits):
    imblearn = pytest.importorskip("imblearn")
    X, y, X_test, y_test = digits
    rare = y_test == 3
    kept = np.flatnonzero((y != 3) | (np.cumsum(y == 3) <= 10))  # ten of the digit 3, fifty of each other
    pipeline = imblearn.pipeline.make_pipeline(imblearn.over_sampling.RandomOverSampler(random_state=0), make())
    pipeline.fit(X[kept], y[kept])
    assert pipeline[-1].n_samples_fit_ == 10 * np.bincount(y[kept]).max()
    assert pipeline.predict(X_test).shape == y_test.shape
    assert pipeline.score(X_test[rare], y_test[rare]) > make().fit(X[kept], y[kept]).score(X_test[rare], y_test[rare])


def test_mapie_sets_have_the_requested_coverage(digits):
    SplitConformalClassifier = pytest.importorskip("mapie.classification").SplitConformalClassifier
    X, y, X_test, y_test = digits
    model = make().fit(X[:350], y[:350])
    conformal = SplitConformalClassifier(model, confidence_level=0.9, prefit=True).conformalize(X[350:], y[350:])
    _, sets = conformal.predict_set(X_test)
    assert sets[np.arange(len(y_test)), y_test, 0].mean() > 0.8
