"""``tonnage metrics-api``: serve the HPA's custom metrics; ``check`` says whose they are in a cluster."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import httpx2
import msgspec
from lightkube import ApiError, AsyncClient, Client
from lightkube.config.kubeconfig import KubeConfig, SingleConfig
from lightkube.core.exceptions import ConfigError
from lightkube.resources.apiregistration_v1 import APIService

from tonnage.errors import EnvironmentFault, FindingsError, SpecError
from tonnage.metrics_api.api import GROUP, VERSIONS
from tonnage.metrics_api.certificates import generate
from tonnage.metrics_api.ownership import Owner, owner_of
from tonnage.metrics_api.running import run
from tonnage.metrics_api.settings import SERVICE, MetricsApiSettings

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_kubeconfig = click.option(
    "--kubeconfig", type=_FILE, help="Of the cluster.  [default: the pod's account, then KUBECONFIG]"
)


@click.group("metrics-api", invoke_without_command=True, short_help="Serve the HPA's custom metrics.")
@click.option("--config", type=_FILE, help="JSON file of settings; options go before it.")
@click.option("--tls-cert", "certificate", help="PEM file of the serving certificate; read again on change.")
@click.option("--tls-key", "key", help="PEM file of its key.")
@click.option("--host", help="Address to listen on.  [default: 0.0.0.0]")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.  [default: 6443]")
@click.option("--namespace", help="Read the pods of one namespace.  [default: all]")
@click.option("--idle", type=click.Choice(["zero", "silent", "last"]), help="What an idle pod says.")
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Form of the log's lines.")
@_kubeconfig
@click.option("--generate-cert", type=_FOLDER, help="Only make tls.crt and tls.key there, for trials.")
@click.option("--host-name", multiple=True, help="Names of a made certificate.  [default: the Service's]")
@click.pass_context
def metrics_api(
    context: click.Context,
    /,
    config: Path | None,
    kubeconfig: Path | None,
    generate_cert: Path | None,
    host_name: tuple[str, ...],
    **options: str | int | None,
) -> None:
    """Serve custom.metrics.k8s.io for the HPA, from the pods themselves and without Prometheus.

    Needs a serving certificate (--tls-cert, --tls-key, or in --config); it makes none by itself.
    """
    if context.invoked_subcommand is not None:
        return
    if generate_cert is not None:
        namespace, _, name = SERVICE.partition("/")
        hosts = host_name or (f"{name}.{namespace}.svc", "localhost", "127.0.0.1")
        for file in generate(generate_cert, hosts):
            click.echo(str(file))
        return
    settings = _settings(config, options)
    asyncio.run(_run(settings, kubeconfig))


@metrics_api.command("check", short_help="Say whose custom metrics a cluster has.")
@_kubeconfig
@click.option("--service", default=SERVICE, show_default=True, help="Namespace and name of our Service.")
def check(kubeconfig: Path | None, service: str) -> None:
    """Say who serves custom.metrics.k8s.io; exit code 1 when it is another program.

    A cluster has one owner of this API. Applying Tonnage's APIService over another's would take away the
    metrics of all HPAs that use it.
    """
    client = Client(config=_cluster(kubeconfig), trust_env=False)
    try:
        owners = [owner_of(version, _registration(client, version), service) for version in VERSIONS]
    finally:
        client.close()
    for owner in owners:
        click.echo(str(owner))
    others = [owner for owner in owners if owner.whose == "other"]
    if others:
        raise FindingsError(_advice(others[0]))


def _advice(owner: Owner) -> str:
    return (
        f"{GROUP} belongs to {owner.service}: do not apply Tonnage's APIServices here, not even the version"
        " that has no owner, since the HPA would ask it instead; serve its metrics through that program, or"
        " remove it first when nothing uses it"
    )


def _settings(config: Path | None, options: dict[str, str | int | None]) -> MetricsApiSettings:
    given = {name: value for name, value in options.items() if value is not None}
    if "log_format" in given:
        given["logFormat"] = given.pop("log_format")
    try:
        written = msgspec.json.decode(config.read_bytes(), type=dict) if config is not None else {}
        settings = msgspec.convert({**written, **given}, MetricsApiSettings)
    except (OSError, msgspec.MsgspecError) as error:
        missing = "certificate" in str(error) or "`key`" in str(error)
        hint = "; give --tls-cert and --tls-key, or try --generate-cert DIR first" if missing else ""
        raise SpecError(f"settings: {error}{hint}") from None
    problems = settings.problems()
    if problems:
        raise SpecError("\n".join(f"settings: {problem}" for problem in problems))
    return settings


async def _run(settings: MetricsApiSettings, kubeconfig: Path | None) -> None:
    client = AsyncClient(config=_cluster(kubeconfig), trust_env=False)
    try:
        await run(settings, client)
    finally:
        await client.close()


def _cluster(kubeconfig: Path | None) -> SingleConfig:
    try:
        loaded = KubeConfig.from_file(kubeconfig) if kubeconfig is not None else KubeConfig.from_env()
        found = loaded.get()
    except (ConfigError, OSError) as error:
        raise EnvironmentFault(f"cluster: {error}") from None
    if found is None:
        raise EnvironmentFault("cluster: must be named by --kubeconfig, KUBECONFIG or a pod's account")
    return found


def _registration(client: Client, version: str) -> dict[str, object] | None:
    try:
        found: dict[str, object] = client.get(APIService, f"{version}.{GROUP}").to_dict()
    except ApiError as error:
        if error.status.code == 404:
            return None
        raise EnvironmentFault(f"cluster: {error}") from None
    except (httpx2.HTTPError, OSError) as error:
        raise EnvironmentFault(f"cluster: {error}") from None
    return found
