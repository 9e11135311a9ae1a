"""FastAPI and uvicorn around the pack's ONNX file in ONNX Runtime."""

from engines import onnxruntime_engine
from fastapi_app import serve

if __name__ == "__main__":
    serve(onnxruntime_engine())
