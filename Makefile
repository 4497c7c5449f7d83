# Every target sets up what it needs: a virtual environment in .venv with the pinned versions, nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
BUNDLE := bundles/ct_lesion_segmentation
DEMO ?= demo
STUDY ?=
SEED ?= 2024
SERVICES := orthanc orthanc-dicomweb dicom3tools dcm2niix chromium chromium-driver

LABEL_VENV ?= .venv-label
MLFLOW_VENV ?= .venv-mlflow
LABEL := pipeline/label_app/template

.PHONY: help install label-install mlflow-install docker-check lint format types test test-slow services test-services fuzz demo weights slice-weights clean

help:
	@echo "make demo            segment a synthetic chest CT (or STUDY=path) and show the result"
	@echo "make test            the fast tests"
	@echo "make lint            ruff and mypy"
	@echo "make test-slow       real bundle commands, trainings, kills"
	@echo "make services        what those tests need from Debian: $(SERVICES)"
	@echo "make label-install   MONAI Label in an environment of its own, for those tests"
	@echo "make mlflow-install  MLflow beside .venv, for those tests"
	@echo "make docker-check    build the container image without a Docker engine, and segment a phantom in it"
	@echo "make test-services   tests against real servers and programs; those that are not there are skipped"
	@echo "make fuzz            mutated files through the reader: INPUTS=10000 of them, others with FUZZ_SEED=1"
	@echo "make weights         train the shipped weights on (FRESH=1: anew), also on HEALTHY=\"CT ...\" with painted lesions"
	@echo "make slice-weights   train the slice classifier's weights on COVID_CT=path"

$(VENV)/.installed: setup.cfg constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	touch $@

install: $(VENV)/.installed

$(LABEL_VENV)/.installed: $(LABEL)/requirements.txt $(wildcard $(LABEL)/environment/*) setup.cfg
	$(PYTHON) -m venv $(LABEL_VENV)
	$(LABEL_VENV)/bin/python -m pip install --quiet "$$(grep '^torch==' constraints.txt)"
	$(LABEL_VENV)/bin/python -m pip install --quiet --no-deps -r $(LABEL)/requirements.txt ./$(LABEL)/environment -e .
	touch $@

label-install: $(LABEL_VENV)/.installed

# MLflow beside what .venv has, not in it: `import monai` would import it, and each command would start later.
$(MLFLOW_VENV)/.installed: $(VENV)/.installed
	$(PYTHON) -m venv $(MLFLOW_VENV)
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		> "$$($(MLFLOW_VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/shared.pth"
	$(MLFLOW_VENV)/bin/python -m pip install --quiet -c constraints.txt "$$(grep '^mlflow==' constraints.txt)"
	touch $@

mlflow-install: $(MLFLOW_VENV)/.installed

# Builds the image without a Docker engine, as root on Debian 12: buildah, debootstrap, 15 GB, a quarter of an hour.
docker-check:
	@command -v buildah debootstrap > /dev/null || { echo "as root: apt-get install buildah debootstrap" >&2; exit 2; }
	docker/check.sh

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: install
	$(BIN)/python -m pytest -n 2 -m "not slow and not service and not gpu"

test-slow: install
	$(BIN)/python -m pytest -m "slow and not service and not gpu"

services:
	@missing=; for package in $(SERVICES); do \
		dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; \
	elif [ "$$(id -u)" -ne 0 ]; then echo "not installed; as root: apt-get install$$missing" >&2; \
	else apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends $$missing; fi

test-services: install label-install mlflow-install services
	$(BIN)/python -m pytest -m "service"

INPUTS ?= 10000
FUZZ_SEED ?= 0

# Ends after ten minutes, however many were read by then.
fuzz: install
	$(BIN)/python -m tests.fuzz --inputs $(INPUTS) --seed $(FUZZ_SEED) --seconds 600

ifeq ($(STUDY),)
demo: install
	$(BIN)/ctvol phantom $(DEMO)/phantom --format dicom --seed $(SEED)
	$(BIN)/python -P -m monai.bundle run --config_file $(BUNDLE)/configs/inference.yaml \
		--bundle_root $(BUNDLE) --dataset_dir $(DEMO)/phantom/ct --output_dir $(DEMO)/results
	@echo
	$(BIN)/ctvol evaluate $(DEMO)/results/ct/labels.nii.gz $(DEMO)/phantom/truth.nii.gz -o $(DEMO)/evaluation
	@echo
	@echo "label map: $(DEMO)/results/ct/labels.nii.gz"
	@echo "picture:   $(DEMO)/results/ct/preview.png"
else
demo: install
	$(BIN)/python -P -m monai.bundle run --config_file $(BUNDLE)/configs/inference.yaml \
		--bundle_root $(BUNDLE) --dataset_dir "$(STUDY)" --output_dir $(DEMO)/study; status=$$?; \
	echo; echo "label maps and pictures (labels.nii.gz, preview.png): $(DEMO)/study/<case>/"; \
	cut -d, -f1-4 $(DEMO)/study/cases.csv; exit $$status
endif

RUNS ?= runs
MINUTES ?= 90
HEALTHY ?=
PARTS ?= $(BUNDLE)/docs/healthy_parts.json
TRAIN := $(BIN)/python -P -m monai.bundle run --bundle_root $(BUNDLE) --dataset_dir $(RUNS)/training --region all \
	--max_epochs 2000 --max_minutes $(MINUTES) --foreground 0.55 --deformation_prob 0.25 --learning_rate 0.0006 \
	--val_interval 10

# Goes on from the shipped weights, or with FRESH=1 begins at random ones, on phantoms and, with HEALTHY="CT ...", on
# lesions painted into those CTs (their parts without disease: PARTS), MINUTES each. Writes runs/weights_*/best.pt and
# copies them into the bundle.
weights: install
	$(BIN)/ctvol phantom $(RUNS)/phantoms --training-set
	$(if $(HEALTHY),$(BIN)/ctvol paint $(HEALTHY) --out $(RUNS)/training --parts $(PARTS) --add $(RUNS)/phantoms,ln -sfn phantoms $(RUNS)/training)
	$(TRAIN) --config_file $(BUNDLE)/configs/train.yaml --ckpt_dir $(RUNS)/weights_3d --overlap 0.25 $(if $(FRESH),,--init_weights $(BUNDLE)/models/model.pt)
	$(TRAIN) --config_file "['$(BUNDLE)/configs/train.yaml','$(BUNDLE)/configs/unet_2_5d.yaml']" \
		--ckpt_dir $(RUNS)/weights_2_5d --samples_per_epoch 256 $(if $(FRESH),,--init_weights $(BUNDLE)/models/model_2_5d.pt)
	cp $(RUNS)/weights_3d/best.pt $(BUNDLE)/models/model.pt
	cp $(RUNS)/weights_2_5d/best.pt $(BUNDLE)/models/model_2_5d.pt
	$(BIN)/python -P -m pipeline.bundle.hashes $(BUNDLE)

SLICE_BUNDLE := bundles/ct_slice_classification
COVID_CT ?=

# Trains on COVID-CT, which is not part of the project: COVID_CT=path. Measures on its validation split.
slice-weights: install
	@test -n "$(COVID_CT)" || { echo "make slice-weights COVID_CT=path of the data set" >&2; exit 2; }
	$(BIN)/python -P -m monai.bundle run --config_file $(SLICE_BUNDLE)/configs/train.yaml \
		--bundle_root $(SLICE_BUNDLE) --dataset_dir $(COVID_CT) --ckpt_dir $(RUNS)/weights_slices --max_minutes $(MINUTES)
	$(BIN)/python -P -m monai.bundle run --bundle_root $(SLICE_BUNDLE) --dataset_dir $(COVID_CT) \
		--config_file "['$(SLICE_BUNDLE)/configs/train.yaml','$(SLICE_BUNDLE)/configs/evaluate.yaml']" \
		--ckpt_dir $(RUNS)/weights_slices
	mkdir -p $(SLICE_BUNDLE)/models
	cp $(RUNS)/weights_slices/best.pt $(SLICE_BUNDLE)/models/model.pt
	$(BIN)/python -P -m pipeline.bundle.hashes $(SLICE_BUNDLE)

clean:
	rm -rf $(DEMO) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
