"""deploy/kubernetes: as the API server's own schemas read it, and as Headwater does."""

from typing import Any

import kubernetes_validate
import pytest
import yaml

from headwater.faces.health import LIVE, READY
from headwater.observe.table import rows
from headwater.roles import ROLES
from headwater.settings import load
from tests.architecture.source import ROOT
from tests.deploy.told import settings_told

FOLDER = ROOT / "deploy" / "kubernetes"
VALUES = "prometheus-adapter-values.yaml"  # of a chart, not for the API server
MANIFESTS = {
    f"{path.stem}-{one['kind']}": one
    for path in sorted(FOLDER.glob("*.yaml"))
    if path.name != VALUES
    for one in yaml.safe_load_all(path.read_text())
}
DEPLOYMENTS = {name: one for name, one in MANIFESTS.items() if one["kind"] == "Deployment"}
PORTS = {"http": 8000, "internal": 9600}


def of_kind(kind: str) -> list[Any]:
    return [one for one in MANIFESTS.values() if one["kind"] == kind]


def container_of(deployment: Any) -> Any:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return container


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
@pytest.mark.parametrize("version", ["1.29", "1.37"])
def test_kubernetes_understands_every_field(manifest: Any, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_every_role_is_deployed_and_may_be_drained() -> None:
    roles = {container_of(one)["args"][-1] for one in DEPLOYMENTS.values()}
    guarded = {
        one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/component"]
        for one in of_kind("PodDisruptionBudget")
    }
    assert roles == guarded == set(ROLES) - {"all"}


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_probes_ask_what_is_answered(deployment: Any) -> None:
    container = container_of(deployment)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    asked = {
        kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")
    }
    assert ports.items() <= PORTS.items()
    assert {probe["port"] for probe in asked.values()} <= set(ports)
    assert asked["readiness"]["path"] == READY
    assert {asked["startup"]["path"], asked["liveness"]["path"]} == {LIVE}


@pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_a_drain_ends_before_the_pod_does(deployment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what the pods are told are settings, unspoilt by the links to services."""
    pod, container = deployment["spec"]["template"]["spec"], container_of(deployment)
    [public], [secret] = of_kind("ConfigMap"), of_kind("Secret")
    own = {one["name"]: one["value"] for one in container.get("env", ())}
    settings_told(public["data"] | secret["stringData"] | own, monkeypatch)

    assert load().drain_s < pod["terminationGracePeriodSeconds"]
    assert pod["enableServiceLinks"] is False


def test_workers_scale_by_a_metric_that_exists() -> None:
    [scaler] = of_kind("HorizontalPodAutoscaler")
    [metric] = scaler["spec"]["metrics"]
    name = metric["external"]["metric"]["name"]
    [rule] = yaml.safe_load((FOLDER / VALUES).read_text())["rules"]["external"]

    assert name in {row[0] for row in rows()}
    assert rule["seriesQuery"] == rule["name"]["as"] == name
    assert scaler["spec"]["scaleTargetRef"]["name"] == "headwater-worker"
    assert "replicas" not in MANIFESTS["worker-Deployment"]["spec"]  # an apply would undo scaling
