"""The shipped pod of Kubernetes, started by Podman, which reads the same files."""

from pathlib import Path
from typing import Any

import yaml

from tests.support.programs import backend
from tests.support.programs.images import PYTHON, TOP
from tests.support.programs.podman import Container, Engine

SHIPPED = TOP / "exporter/zope_exporter/deploy/kubernetes/zope.yaml"
# What holds the namespaces of the pod, by the name that the engine is told.
_PAUSE = f"""\
FROM {PYTHON}
ENTRYPOINT ["/bin/sleep", "infinity"]
"""
CONFIG = "state_dir: /var/lib/zope-exporter\n"


def play(engine: Engine, directory: Path, exporter: str) -> tuple[Container, Container]:
    """Start it; return its Zope and its exporter.

    Its images are those that tests have, its claim a volume, its secret a ConfigMap, its network
    its own, without a way out, and the agent is named to Zope as the documentation says. All else
    is as it is shipped.
    """
    documents = list(yaml.safe_load_all(SHIPPED.read_text()))
    template = next(each for each in documents if each["kind"] == "StatefulSet")["spec"]["template"]
    spec: dict[str, Any] = template["spec"]
    zope, sidecar = spec["containers"]
    del zope["ports"], sidecar["ports"]
    zope["image"], sidecar["image"] = backend.IMAGE, f"localhost/{exporter}:latest"
    zope["env"] = [
        {"name": "ADDONS", "value": backend.addon()},
        {"name": "PIP_PARAMS", "value": "--no-index"},
    ]
    [config] = [volume for volume in spec["volumes"] if volume["name"] == "config"]
    config["configMap"] = {"name": config.pop("secret")["secretName"]}
    spec["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": "data"}})
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "zope"}, "spec": spec}
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": config["configMap"]["name"]},
        "data": {"config.yml": CONFIG},
    }
    file = directory / "pod.yaml"
    file.write_text(yaml.safe_dump_all([settings, pod]))
    (directory / "Dockerfile").write_text(_PAUSE)
    engine.build(directory, "localhost/pause:latest")
    engine.podman("kube", "play", "--network=none", file)
    return Container(engine, "zope-zope"), Container(engine, "zope-exporter")
