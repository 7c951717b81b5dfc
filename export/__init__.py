"""Makes encoders: ONNX files that keep the encoder contract. Nothing here is needed to run one."""
