"""The servers that are compared: how each is started, in which environment, and how it takes a picture."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from children import environment, free_port, running, serving
from load import Target

ROOT = Path(__file__).parents[1]
PEERS = ROOT / "bench" / "peers"
FIELD = "picture"
BOUNDARY = "planimeter-bench"
OURS = "Planimeter"


@dataclass(frozen=True)
class Peer:
    """A server of another kind."""

    name: str
    script: str
    """In bench/peers."""
    environment: str
    """What its environment is called; bench/peers/NAME.txt says what is in it."""
    form: bool = False
    """Whether it takes the picture as a form's file, as its documentation shows, or as the body."""


MASK_RCNN = (
    Peer("Flask's own server, PyTorch", "flask_torch.py", "flask"),
    Peer("FastAPI, uvicorn, OpenVINO", "fastapi_openvino.py", "fastapi"),
    Peer("FastAPI, uvicorn, ONNX Runtime", "fastapi_onnxruntime.py", "fastapi"),
    Peer("LitServe, OpenVINO", "litserve_openvino.py", "litserve", form=True),
    Peer("BentoML, OpenVINO", "bentoml_openvino.py", "bentoml", form=True),
    Peer("Ray Serve, OpenVINO", "ray_openvino.py", "ray"),
)
YOLO = (
    Peer("Ultralytics predict, PyTorch", "ultralytics_predict.py", "ultralytics"),
    Peer("Ultralytics predict, ONNX Runtime", "ultralytics_predict.py", "ultralytics"),
)


class Environments:
    """The interpreters of the peers: named by the caller, or made from their requirement files."""

    def __init__(self, folder: Path | None, given: dict[str, str]) -> None:
        self._folder, self._given = folder, given
        self.missing: dict[str, str] = {}
        """Why an environment is not there."""

    def python(self, name: str) -> str | None:
        """Return the interpreter of an environment, or None where it could not be made."""
        if name in self._given:
            return self._given[name]
        if name not in self.missing and self._folder is None:
            self.missing[name] = f"name its interpreter with --python {name}=PATH, or use --environments"
        if name in self.missing or self._folder is None:
            return None
        home = self._folder.resolve() / name
        python = home / "bin" / "python"
        done = home / "installed"
        requirements = PEERS / f"{name}.txt"
        if done.is_file() and done.read_text("utf-8") == requirements.read_text("utf-8"):
            return str(python)
        click.echo(f"installing {requirements.relative_to(ROOT)}", err=True)
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        ran = subprocess.run(
            [*pip, "--requirement", str(requirements)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            lines = [line for line in ran.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
            self.missing[name] = lines[-1]
            return None
        done.write_text(requirements.read_text("utf-8"), "utf-8")
        return str(python)


@contextmanager
def ours(options: list[str]) -> Iterator[Target]:
    """Run Planimeter."""
    with serving(["--precision", "f32", "--infer-with-cpu", *options]) as server:
        yield Target(server.port)


@contextmanager
def theirs(peer: Peer, python: str, told: dict[str, str]) -> Iterator[Target]:
    """Run a peer."""
    port = free_port()
    command = [python, str(PEERS / peer.script)]
    with running(command, port, told=told | {"PEER_PORT": str(port)}):
        kind = f"multipart/form-data; boundary={BOUNDARY}" if peer.form else "image/png"
        yield Target(port, "/measure", kind)


def body_for(target: Target, picture: bytes) -> bytes:
    """Return what is posted: the picture, or a form with it."""
    if not target.content_type.startswith("multipart/"):
        return picture
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{FIELD}"; filename="picture.png"\r\n'
        "Content-Type: image/png\r\n\r\n"
    )
    return head.encode() + picture + f"\r\n--{BOUNDARY}--\r\n".encode()


def make_yolo(python: str, folder: Path, picture: bytes) -> Path:
    """Have a YOLO-seg made in its own environment; returns its ONNX file, beside which lies yolo.pt."""
    source = folder / "picture.png"
    source.write_bytes(picture)
    command = [python, str(PEERS / "make_yolo.py"), str(folder), str(source)]
    told = {"YOLO_CONFIG_DIR": str(folder), "YOLO_OFFLINE": "1"}
    ran = subprocess.run(
        command, cwd=folder, env=environment(**told), capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise click.ClickException(f"no YOLO network could be made:\n{ran.stderr.strip()[-2000:]}")
    return folder / "yolo.onnx"


def import_yolo(onnx: Path, packs: Path, name: str) -> None:
    """Make a model of it by Planimeter's own command."""
    command = [sys.executable, "-m", "planimeter", "models", "import", "onnx", str(onnx)]
    command += ["--name", name, "--packs-folder", str(packs), "--nms-iou", "0.7"]
    ran = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if ran.returncode:
        raise click.ClickException(f"the YOLO network could not be imported:\n{ran.stderr.strip()[-2000:]}")
