"""Encoders: ONNX files that keep the encoder contract."""
