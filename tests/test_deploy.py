"""The files for containers, compose and Kubernetes name only what there is, and promise what the documentation says.

None of them is run here: there is no container engine and no cluster. What of them can be tried without one is.
"""

import ipaddress
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask

from planimeter.commands.options import variable
from planimeter.settings import Settings
from serving import serve
from test_supply import described

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
VARIABLES = {variable(name): name for name in Settings.model_fields}
TAGGED = re.compile(r"(?:[a-z0-9.-]+/)*[a-z0-9-]+:[a-z0-9.-]*[0-9][a-z0-9.-]*")
SECRET = {"database": "d" * 48, "key": "k" * 20, "secret": "s" * 40}


def objects(*parts: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of Kubernetes in some files."""
    for path in sorted((DEPLOY / "kubernetes").joinpath(*parts).rglob("*.yaml")):
        yield from (each for each in yaml.safe_load_all(path.read_text("utf-8")) if each is not None)


def pods() -> Iterator[dict[str, Any]]:
    """Yield the pods that are described whole."""
    for each in objects():
        if each["kind"] == "Deployment" and "selector" in each["spec"]:
            yield each["spec"]["template"]["spec"]
        if each["kind"] == "RayCluster":
            yield each["spec"]["headGroupSpec"]["template"]["spec"]
            yield from (group["template"]["spec"] for group in each["spec"]["workerGroupSpecs"])


def object_of(kind: str, name: str = "planimeter") -> dict[str, Any]:
    return next(each for each in objects("base") if each["kind"] == kind and each["metadata"]["name"] == name)


def environment_of_image() -> dict[str, str]:
    [written] = re.findall(r"^ENV ((?:.*\\\n)*.*)$", CONTAINERFILE, re.MULTILINE)
    return dict(pair.split("=", 1) for pair in written.replace("\\\n", "").split())


def settings_of(environment: dict[str, str]) -> Settings:
    """Return the settings that a service in the image would have."""
    every = environment_of_image() | environment
    given = {VARIABLES[name]: value for name, value in every.items() if name.startswith("PLANIMETER_")}
    return Settings.model_validate(given)


def test_every_variable_is_an_option_and_every_image_has_a_tag() -> None:
    for path in (path for path in DEPLOY.rglob("*") if path.is_file() and path.parent.name != "secrets"):
        named = set(re.findall(r"PLANIMETER_[A-Z0-9_]+", path.read_text("utf-8")))
        assert named <= VARIABLES.keys(), path
    images = [each["image"] for each in COMPOSE["services"].values()]
    images += re.findall(r"^ARG BASE=(.*)$", CONTAINERFILE, re.MULTILINE)
    images += [container["image"] for pod in pods() for container in pod["containers"]]
    assert len(images) == 8
    assert [image for image in images if not TAGGED.fullmatch(image)] == []
    assert set(re.findall(r"^FROM (\S+)", CONTAINERFILE, re.MULTILINE)) == {"${BASE}"}
    rendered = yaml.safe_load((DEPLOY / "kubernetes" / "base" / "kustomization.yaml").read_text("utf-8"))
    version = described()["version"]
    assert {image["newTag"] for image in rendered["images"]} == {version}
    ours = [image for image in images if image.startswith("planimeter:")]
    assert set(ours) == {f"planimeter:{version}"}


def test_the_image_has_what_it_is_built_of_and_no_pytorch() -> None:
    project = described()
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", CONTAINERFILE, re.MULTILINE)
    sources = {name for line in copied for name in line.split()}
    assert all((ROOT / name).exists() for name in sources)
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == sources
    named = re.findall(r"EXTRAS=(\S+)", CONTAINERFILE) + re.findall(
        r"EXTRAS=(\S+)", (DEPLOY / "kubernetes" / "ray" / "kustomization.yaml").read_text("utf-8")
    )
    extras = {extra for each in named for extra in each.split(",")}
    assert extras <= project["optional-dependencies"].keys()
    installed = [*project["dependencies"]]
    installed += [each for extra in extras for each in project["optional-dependencies"][extra]]
    assert not any(each.startswith("torch") for each in installed)


def test_constraints_for_the_image_are_the_lock_file_without_hashes() -> None:
    [made] = re.findall(r"(sed .*) > /constraints.txt", CONTAINERFILE)
    done = subprocess.run(["sh", "-c", made], cwd=ROOT, check=True, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("#")]
    assert len(lines) > 100
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==\S+( ; .+)?", line) for line in lines)


def test_nothing_runs_as_root_or_writes_outside_its_volumes() -> None:
    image = environment_of_image()
    user = re.findall(r"^USER (\S+)$", CONTAINERFILE, re.MULTILINE)
    assert user == ["10001:10001"]
    settings = settings_of({})
    for folder in (
        settings.upload_folder,
        settings.output_folder,
        settings.packs_folder,
        settings.jobs_folder,
    ):
        assert Path(folder).parent == Path("/data")
    assert settings.database == "sqlite:////data/planimeter.db"
    assert re.findall(r"^EXPOSE (\d+)$", CONTAINERFILE, re.MULTILINE) == [image["PLANIMETER_PORT"]]
    for name, service in COMPOSE["services"].items():
        assert service["read_only"] is True, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        if name != "postgres":  # which gives its rights up by itself
            assert service["cap_drop"] == ["ALL"], name
    mounts = COMPOSE["services"]["planimeter"]["volumes"] + COMPOSE["services"]["planimeter"]["tmpfs"]
    assert mounts == ["data:/data", "/tmp"]  # noqa: S108
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"livenessProbe", "readinessProbe", "resources"} <= container.keys()
            assert {mount["name"] for mount in container["volumeMounts"]} == {
                volume["name"] for volume in pod["volumes"]
            }


def test_the_health_check_of_the_image_tells_a_service_from_none(tmp_path: Path) -> None:
    [written] = re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    program, *arguments = yaml.safe_load(written)
    assert program == "python"

    def status(port: int) -> int:
        return subprocess.run(
            [sys.executable, *arguments],
            check=False,
            env={**os.environ, "PLANIMETER_PORT": str(port), "http_proxy": "http://127.0.0.1:1"},
            capture_output=True,
            timeout=60,
        ).returncode

    with serve(tmp_path, public_host="lab.example.org") as address:
        assert status(int(address.rstrip("/").rpartition(":")[2])) == 0
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        assert status(free.getsockname()[1]) != 0


def test_compose_is_one_whole() -> None:
    services = COMPOSE["services"]
    for name, service in services.items():
        assert {*service.get("secrets", ())} <= COMPOSE["secrets"].keys(), name
        assert {*service["networks"]} <= COMPOSE["networks"].keys(), name
        assert {*service.get("depends_on", ())} <= services.keys(), name
        mounted = [mount.split(":") for mount in service.get("volumes", ())]
        assert all(each[0] in COMPOSE["volumes"] or (DEPLOY / each[0]).is_file() for each in mounted), name
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert [name for name, service in services.items() if "outside" in service["networks"]] == ["proxy"]
    ours = settings_of(services["planimeter"]["environment"] | {"PLANIMETER_PUBLIC_HOST": "lab.example.org"})
    [subnet] = [each["subnet"] for each in COMPOSE["networks"]["inside"]["ipam"]["config"]]
    assert services["proxy"]["networks"]["inside"]["ipv4_address"] == ours.trusted_proxy
    assert ipaddress.ip_address(ours.trusted_proxy) in ipaddress.ip_network(subnet)
    build = services["planimeter"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Containerfile"
    caddy = (DEPLOY / "compose.caddyfile").read_text("utf-8")
    assert f"reverse_proxy planimeter:{ours.port} " in caddy
    assert "{$SITE:lab.example.org}" in caddy
    assert {
        path.split("/")[-1]
        for path in re.findall(r"file: \./secrets/(\w+)", (DEPLOY / "compose.yaml").read_text())
    } == {*COMPOSE["secrets"]}
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text("utf-8").splitlines()


def test_secrets_become_what_the_services_need(tmp_path: Path) -> None:
    """Run what the containers begin with: a shell, with programs that only tell what they were given."""
    names = ("database_password", "object_store_key", "object_store_secret")
    for name, value in zip(names, SECRET.values(), strict=True):
        (tmp_path / name).write_text(f"{value}\n")
    for program in ("planimeter", "rclone"):
        (tmp_path / program).write_text('#!/bin/sh\necho "$@"\nenv\n')
        (tmp_path / program).chmod(0o755)
    told = {}
    for service in ("planimeter", "objects"):
        shell, options, script, *more = COMPOSE["services"][service]["entrypoint"]
        script = (
            script.replace("$$", "$")
            .replace("/run/secrets", str(tmp_path))
            .replace("/objects", str(tmp_path))
        )
        done = subprocess.run(
            [shell, options, script, *more, *COMPOSE["services"][service].get("command", ())],
            check=True,
            capture_output=True,
            text=True,
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )
        told[service] = done.stdout.splitlines()
    assert told["planimeter"][0] == "serve"
    assert (
        f"PLANIMETER_DATABASE=postgresql+psycopg://planimeter:{SECRET['database']}@postgres/planimeter"
        in told["planimeter"]
    )
    assert f"AWS_ACCESS_KEY_ID={SECRET['key']}" in told["planimeter"]
    assert f"AWS_SECRET_ACCESS_KEY={SECRET['secret']}" in told["planimeter"]
    assert f'RCLONE_AUTH_KEY="{SECRET["key"]},{SECRET["secret"]}"' in told["objects"]
    assert (tmp_path / "pictures").is_dir()
    environment = COMPOSE["services"]["planimeter"]["environment"]
    bucket = str(environment["PLANIMETER_UPLOAD_FOLDER"]).split("/")[2]
    assert bucket == "pictures"
    assert environment["AWS_ENDPOINT_URL"] == "http://objects:9000"


def test_kubernetes_is_one_whole(app: Flask) -> None:
    deployment = object_of("Deployment")
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    settings_of({k: v for k, v in object_of("ConfigMap")["data"].items() if k in VARIABLES})
    [port] = container["ports"]
    assert port == {"name": "http", "containerPort": int(environment_of_image()["PLANIMETER_PORT"])}
    service = object_of("Service")["spec"]
    assert service["ports"][0]["targetPort"] == port["name"]
    policy = object_of("NetworkPolicy")["spec"]
    for selector in (
        service["selector"],
        policy["podSelector"]["matchLabels"],
        object_of("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        deployment["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert policy["ingress"][0]["ports"] == [{"port": port["containerPort"]}]
    routes = {rule.rule for rule in app.url_map.iter_rules()}
    probes = [container[kind]["httpGet"] for kind in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert {probe["path"] for probe in probes} <= routes
    docs = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    for name in re.findall(r"key: (\S+)", "".join(yaml.safe_dump(each) for each in objects())):
        assert f"--from-literal={name}=" in docs or f"--from-file={name}=" in docs, name
    assert container["args"] == ["serve"]


@pytest.mark.parametrize("folder", ["base", "ray"])
def test_kustomize_makes_all_objects(folder: str) -> None:
    listed = yaml.safe_load((DEPLOY / "kubernetes" / folder / "kustomization.yaml").read_text("utf-8"))
    files = [*listed["resources"], *(patch["path"] for patch in listed.get("patches", ()))]
    assert all((DEPLOY / "kubernetes" / folder / name).exists() for name in files)
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    done = subprocess.run(
        ["kubectl", "kustomize", DEPLOY / "kubernetes" / folder], check=True, capture_output=True, text=True
    )
    made = [*yaml.safe_load_all(done.stdout)]
    assert {each["metadata"]["namespace"] for each in made} == {"planimeter"}
    assert (
        len({(each["kind"], each["metadata"]["name"]) for each in made})
        == len(made)
        == 7 + 2 * (folder == "ray")
    )
    [deployment] = [each for each in made if each["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == f"registry.example.org/planimeter:{described()['version']}"
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["volumes"]
    }
    if folder == "ray":
        [cluster] = [each for each in made if each["kind"] == "RayCluster"]
        variables = {each["name"]: each for each in container["env"]}
        assert variables["RAY_ADDRESS"]["value"] == f"{cluster['metadata']['name']}-head-svc:6379"
        groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
        for group in groups:
            [node] = group["template"]["spec"]["containers"]
            assert {"name": "RAY_AUTH_TOKEN", **variables["RAY_AUTH_TOKEN"]} in node["env"]
            assert node["image"] == container["image"]
            label = group["template"]["metadata"]["labels"]
            assert label.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_caddy_understands_its_file() -> None:
    if shutil.which("caddy") is None:
        pytest.skip("caddy is not installed")
    command = ["caddy", "adapt", "--adapter", "caddyfile", "--config", str(DEPLOY / "compose.caddyfile")]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, "SITE": "plant.example.org"}
    )
    assert "plant.example.org" in done.stdout
    assert "not formatted" not in done.stderr
    assert '"dial":"planimeter:8000"' in done.stdout


def test_the_service_stops_before_it_is_killed() -> None:
    grace = COMPOSE["services"]["planimeter"]["stop_grace_period"]
    seconds = Settings().deadline
    assert int(grace.removesuffix("s")) > seconds
    assert object_of("Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > seconds
    [proxy] = re.findall(r"response_header_timeout (\d+)s", (DEPLOY / "compose.caddyfile").read_text("utf-8"))
    assert int(proxy) > seconds
