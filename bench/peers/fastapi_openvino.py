"""FastAPI and uvicorn around the pack's ONNX file in OpenVINO."""

from engines import openvino_engine
from fastapi_app import serve

if __name__ == "__main__":
    serve(openvino_engine())
