"""What the image and the compose file promise: not root, pinned, and fed with real settings."""

import re
from pathlib import Path
from typing import Any

import yaml

from service.settings.tree import PLATFORM_NAMES, environment_name, keys

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = re.sub(r"\\\n", " ", DOCKERFILE)
FINAL_STAGE = INSTRUCTIONS.split("\nFROM ")[-1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
PROMETHEUS: dict[str, Any] = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
SETTINGS = {environment_name(part, name) for part, name, _ in keys()} | set(PLATFORM_NAMES)


def test_every_stage_starts_from_the_base_argument() -> None:
    assert INSTRUCTIONS.lstrip("# \n").count("ARG BASE=python:3.11-slim") == 1
    bases = re.findall(r"^FROM (\S+)", INSTRUCTIONS, re.MULTILINE)
    assert len(bases) > 1 and set(bases) == {"${BASE}"}


def test_the_index_library_is_compiled_for_a_stated_processor_level() -> None:
    assert "HNSWLIB_NO_NATIVE=1" in INSTRUCTIONS
    assert "-march=${X86_64_LEVEL}" in INSTRUCTIONS
    assert "march=native" not in re.sub(r"^#.*$", "", INSTRUCTIONS, flags=re.MULTILINE)


def test_packages_are_installed_with_hashes() -> None:
    installs = re.findall(r"pip install [^&\n]*", INSTRUCTIONS)
    assert installs
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


def test_the_final_stage_has_no_compiler_and_no_root() -> None:
    assert "g++" not in FINAL_STAGE
    assert re.findall(r"^USER (\S+)", FINAL_STAGE, re.MULTILINE)[-1] == "sightline"


def test_the_command_is_in_exec_form_and_stops_by_sigterm() -> None:
    assert 'CMD ["sightline", "serve"]' in FINAL_STAGE
    assert "STOPSIGNAL SIGTERM" in FINAL_STAGE


def test_whatever_is_copied_exists_and_is_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    for arguments in re.findall(r"^COPY (?!--from)(.*)$", INSTRUCTIONS, re.MULTILINE):
        for source in arguments.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] in allowed, source


def test_the_image_and_compose_set_only_settings_that_exist() -> None:
    in_image = set(re.findall(r"\b(SIGHTLINE_\w+|PORT|REDIS_URL)=", FINAL_STAGE))
    in_compose = set(COMPOSE["services"]["sightline"]["environment"])
    assert {"PORT", "REDIS_URL"} < in_image | in_compose
    assert (in_image | in_compose) <= SETTINGS


def test_images_are_pinned_and_come_by_their_short_names() -> None:
    for service in COMPOSE["services"].values():
        if "image" in service:
            name, _, tag = service["image"].partition(":")
            assert tag and tag != "latest"
            assert "." not in name.split("/")[0]


def test_everything_that_is_mounted_exists() -> None:
    named = set(COMPOSE["volumes"])
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in named or (ROOT / source).exists(), source


def test_redis_has_a_memory_limit_a_policy_and_persistence() -> None:
    command = COMPOSE["services"]["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--maxmemory"] and options["--appendonly"] == "yes"
    assert options["--maxmemory-policy"] == "volatile-lru"


def test_ports_are_published_on_the_loopback_interface_only() -> None:
    published = [p for service in COMPOSE["services"].values() for p in service.get("ports", [])]
    assert published and all(port.startswith("127.0.0.1:") for port in published)


def test_prometheus_scrapes_the_service_where_compose_runs_it() -> None:
    jobs = {job["job_name"]: job for job in PROMETHEUS["scrape_configs"]}
    target = jobs["sightline"]["static_configs"][0]["targets"][0]
    name, _, port = target.partition(":")
    assert name in COMPOSE["services"]
    assert f"EXPOSE {port}" in FINAL_STAGE and f"PORT={port}" in FINAL_STAGE
