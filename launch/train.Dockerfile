# The image of machines that train; EXTRA is gpu or tpu:
#   docker build -f launch/train.Dockerfile --build-arg EXTRA=gpu -t REGISTRY/cmr_jax_train .
#   docker run --gpus=all -v DATA:/data REGISTRY/cmr_jax_train --config=configs/base.py \
#     --config.data.path=/data/prepared --workdir=/data/run
# CUDA comes with JAX's wheels; the machine brings the driver alone.
FROM python:3.11-slim
ARG EXTRA=gpu
COPY . /opt/cmr_jax
WORKDIR /opt/cmr_jax
RUN pip install --no-cache-dir -c requirements.lock -e ".[${EXTRA}]"
ENTRYPOINT ["python", "-m", "cmr_jax.train"]
