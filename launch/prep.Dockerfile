# The image of workers that prepare on Dataflow, or on any Beam runner that starts containers:
#   docker build -f launch/prep.Dockerfile -t REGISTRY/cmr_jax_prep . && docker push REGISTRY/cmr_jax_prep
# Beam here must be the version that starts the job: `python -c "import apache_beam as b; print(b.__version__)"`.
ARG BEAM=2.77.0
FROM apache/beam_python3.11_sdk:${BEAM}
ARG BEAM
COPY . /opt/cmr_jax
RUN pip install --no-cache-dir "/opt/cmr_jax[prep,cloud]" "apache-beam[gcp]==${BEAM}"
