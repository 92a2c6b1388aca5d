"""The files of deploy/: what can be said of them without a Docker daemon and without a cluster."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from places import ROOT

from loadgen.cli.machines import launcher
from loadgen.cli.options import parse
from loadgen.cli.verbs import agent, run
from loadgen.fleet.launchers.listen import Listen

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")


@pytest.fixture
def manifest() -> dict[tuple[str, str], Any]:
    documents = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def container(job: Any) -> Any:
    [only] = job["spec"]["template"]["spec"]["containers"]
    return only


def test_leader_of_kubernetes_waits_for_as_many_agents_as_there_are(
    manifest: dict[tuple[str, str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    agents, leader = manifest["Job", "loadgen-agents"]["spec"], container(manifest["Job", "loadgen-leader"])
    verb, *words = leader["args"]
    assert verb == "run"
    monkeypatch.setenv("LOADGEN_TOKEN", "x" * 32)
    where = launcher(parse(run.SYNTAX, words))
    assert isinstance(where, Listen)
    assert where.agents == agents["completions"] == agents["parallelism"] <= where.wait_s
    assert agents["completionMode"] == "Indexed"
    [port] = manifest["Service", "loadgen-leader"]["spec"]["ports"]
    assert {where.port} == {port["port"], port["targetPort"], leader["ports"][0]["containerPort"]}


def test_agents_of_kubernetes_connect_to_the_leaders_service(manifest: dict[tuple[str, str], Any]) -> None:
    verb, *words = container(manifest["Job", "loadgen-agents"])["args"]
    assert verb == "agent"
    host, _, port = parse(agent.SYNTAX, words).get("connect").partition(":")
    service = manifest["Service", host]["spec"]
    assert int(port) == service["ports"][0]["port"]
    assert manifest["Job", "loadgen-leader"]["spec"]["template"]["metadata"]["labels"] == service["selector"]


def test_no_pod_of_kubernetes_is_rerun_and_all_have_the_token(manifest: dict[tuple[str, str], Any]) -> None:
    jobs = [document for (kind, _), document in manifest.items() if kind == "Job"]
    assert len(jobs) == 2
    for job in jobs:
        assert job["spec"]["backoffLimit"] == 0
        assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
        [token] = container(job)["env"]
        assert token == {
            "name": "LOADGEN_TOKEN",
            "valueFrom": {"secretKeyRef": {"name": "loadgen-token", "key": "token"}},
        }


def test_image_has_a_python_that_loadgen_supports_and_a_program_that_is_there() -> None:
    words = (ROOT / "deploy" / "Dockerfile").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = {tuple(map(int, found)) for found in re.findall(r"^FROM python:(\d+)\.(\d+)", words, re.M)}
    least = tuple(map(int, re.findall(r"\d+", project["requires-python"])))
    assert versions
    assert all(version >= least for version in versions)
    [program] = re.findall(r'^ENTRYPOINT \["(\w+)"\]', words, re.M)
    assert program in project["scripts"]
