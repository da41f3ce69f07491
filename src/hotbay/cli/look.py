"""Verbs that look: list, info."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from hotbay.cli.choose import Choice, choosing
from hotbay.cli.shell import Shell, Verb, pass_shell, plugin_ids
from hotbay.cli.words import clean, moment, pairs, seconds, size, table
from hotbay.errors import HotbayError, NotFound

if TYPE_CHECKING:
    from hotbay.confirmations import Confirmation
    from hotbay.model import Live
    from hotbay.settings import Settings
    from hotbay.source import Offer, Source
    from hotbay.store import Store
    from hotbay.verify import TrustedPublishers

Entry = dict[str, Any]


@click.command("list", cls=Verb)
@click.option("--installed", is_flag=True, help="Only what is installed.")
@click.option("--available", is_flag=True, help="Only what the source offers.")
@choosing
@pass_shell
def list_(shell: Shell, /, installed: bool, available: bool, choice: Choice) -> None:
    """List the plugins that are installed, and those that can be."""
    from hotbay.confirmations import all_confirmations
    from hotbay.leaks import all_leaks, marked
    from hotbay.presence import Workers
    from hotbay.publishers import Publishers

    both, settings = installed == available, shell.settings()
    source = _source(settings)
    offers, problem = _offers(source, strict=available and not installed)
    with shell.registry() as store:
        leaks, waiting, live = all_leaks(store), all_confirmations(store), store.all_live()
        chosen, policy = choice.of(offers, live), Publishers(store).policy()
        offers = [offer for offer in offers if offer.id in chosen]
        rows = [
            _entry(row, offers, policy)
            | {"leak": leaks.get(row.plugin), "confirmation": _shown(waiting.get(row.plugin))}
            for row in live.values()
            if row.plugin in chosen
        ]
        safe = any(status.safe_mode for status in Workers(settings.run).statuses())
        document: Entry = {"source": source.name, "source_problem": problem, "safe_mode": safe}
        if both or installed:
            document["installed"] = rows
            document["refused"] = [_refusal(item) for item in store.all_refusals().values()]
        if both or available:
            document["available"] = [_offer(offer, policy) for offer in offers]
    if safe:
        shell.note("the server runs in safe mode: no plugin is loaded")
    if problem:
        shell.note(f"warning: the source could not be read: {problem}")
    for text in filter(None, (marked(leaks, row["id"], settings.leak_limit) for row in rows)):
        shell.note(f"warning: {text}")
    for item in (waiting[row["id"]] for row in rows if row["id"] in waiting):
        if item.state.open:
            shell.note(f"{item.plugin} {item.text()}")
    shell.put(document, lambda: _print_list(document, {row["id"]: row["version"] for row in rows}, choice))


def _shown(item: Confirmation | None) -> Entry | None:
    return item.to_json() if item is not None else None


def _source(settings: Settings) -> Source:
    """The configured source, without the engine that `hotbay.catalog` belongs to."""
    from hotbay.source import LocalSource, RemoteSource

    if settings.plugin_source == "remote":
        return RemoteSource(settings.plugin_server_url)
    return LocalSource(settings.packages)


def _offers(source: Source, *, strict: bool) -> tuple[list[Offer], str]:
    """What the source offers. A repository that is down must not hide what is installed."""
    try:
        return source.list(), ""
    except HotbayError as error:
        if strict:
            raise
        return [], error.message


def _entry(row: Live, offers: list[Offer], policy: TrustedPublishers) -> Entry:
    from packaging.version import Version

    from hotbay.publishers import word_on_live

    versions = [offer.version for offer in offers if offer.id == row.plugin]
    newer = [version for version in versions if Version(version) > Version(row.version)]
    return {
        "id": row.plugin,
        "name": row.manifest.get("name", row.plugin),
        "version": row.version,
        "state": row.state.value,
        "upgrade": newer[0] if newer else "",
        "problem": row.problem,
        "sha256": row.sha256,
        "source": row.source,
        "trust": word_on_live(row, policy).to_json(),
        "revision": row.revision,
        "installed_at": row.installed_at,
        "updated_at": row.updated_at,
    }


def _offer(offer: Offer, policy: TrustedPublishers) -> Entry:
    from hotbay.console.shelf import runtime_of
    from hotbay.publishers import word_on

    name = str(offer.manifest.get("name", offer.id))
    text = str(offer.manifest.get("description", ""))
    about = {name: offer.manifest.get(name) for name in ("category", "price", "author")}
    about["runtime"] = runtime_of(offer.manifest)
    trust, problem = word_on(offer, policy)
    rest = {"sha256": offer.sha256, "size": offer.size, "location": offer.location, "trust": trust.to_json()}
    rest |= {"problem": str(problem) if problem is not None else ""}
    return {"id": offer.id, "name": name, "version": offer.version, "description": text} | about | rest


def _refusal(item: Entry) -> Entry:
    return {"id": item["plugin"], "problem": item["problem"], "at": item["at"]}


def _print_list(document: Entry, there: dict[str, str], choice: Choice) -> None:
    rows = [
        (row["id"], row["version"], row["state"], row["upgrade"] or "-", row["name"], _first_line(row["problem"]))
        for row in document.get("installed", ())
    ]
    if rows:
        table(("INSTALLED", "VERSION", "STATE", "UPGRADE", "NAME", "PROBLEM"), rows)
    elif "installed" in document:
        click.echo("No plugin is installed." if choice == Choice() else "No installed plugin fits.")
    if refused := [(item["id"], _first_line(item["problem"])) for item in document.get("refused", ())]:
        click.echo()
        table(("REFUSED FOLDER", "PROBLEM"), refused)
    if "available" in document:
        if "installed" in document:
            click.echo()
        _print_available(document["available"], there, choice)


def _print_available(offers: list[Entry], there: dict[str, str], choice: Choice) -> None:
    if not offers:
        click.echo("The source offers no packages." if choice == Choice() else "No offered plugin fits.")
        return
    mark = dict.fromkeys(there.items(), "installed")
    rows = [
        (one["id"], one["version"], mark.get((one["id"], one["version"]), ""), one["name"], _made_by(one["trust"]))
        for one in offers
    ]
    table(("AVAILABLE", "VERSION", "", "NAME", "PUBLISHER"), rows)
    for text in (one["problem"] for one in offers if one["problem"]):
        click.echo(clean(f"warning: {text}"), err=True)


def _made_by(trust: Entry) -> str:
    """Who made a package, in a word; nothing of what nobody signed."""
    return {"verified": f"{trust['publisher']} (verified)", "unknown": "unknown key", "invalid": "invalid"}.get(
        trust["state"], ""
    )


def _signature(trust: Entry | None) -> str:
    """Who made a package, with the key."""
    if trust is None:
        return ""
    made = {"verified": f"by {trust['publisher']}, verified", "unknown": f"by an unknown key, as {trust['publisher']}"}
    made |= {"unsigned": "not signed", "invalid": "invalid: an install is refused"}
    return str(made.get(trust["state"], trust["state"])) + (f" (key {trust['keyid'][:16]})" if trust["keyid"] else "")


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""


@click.command(cls=Verb)
@click.argument("plugin", metavar="ID", shell_complete=plugin_ids)
@pass_shell
def info(shell: Shell, /, plugin: str) -> None:
    """Tell all that is known of a plugin: versions, routes, tables, permissions, workers."""
    from hotbay.publishers import Publishers

    settings = shell.settings()
    offers, problem = _offers(_source(settings), strict=False)
    offers = [offer for offer in offers if offer.id == plugin]
    with shell.registry() as store:
        row, policy = store.find_live(plugin), Publishers(store).policy()
        if row is None and not offers:
            raise NotFound(f"there is no plugin {plugin!r} here", mend=problem or "`hotbay list` shows what there is")
        document = {
            "id": plugin,
            "installed": _installed(settings, store, row, policy) if row else None,
            "available": [_offer(offer, policy) for offer in offers],
            "manifest": dict(row.manifest if row else offers[0].manifest),
        }
    shell.put(document, _describe(document))


def _installed(settings: Settings, store: Store, row: Live, policy: TrustedPublishers) -> Entry:
    from hotbay.bench import grant_for
    from hotbay.confirmations import find_confirmation
    from hotbay.leaks import all_leaks
    from hotbay.migrate import owned_tables
    from hotbay.suspects import Suspects

    live = store.all_live()
    history = [{key: item[key] for key in ("version", "sha256", "at")} for item in store.history(row.plugin)]
    found = row.contributions
    return {
        **_entry(row, [], policy),
        "leak": all_leaks(store).get(row.plugin),
        "confirmation": _shown(find_confirmation(store, row.plugin)),
        "image": row.image,
        "grants": list(row.grants),
        "routes": [f"{' '.join(item.methods) or 'WS'} {item.path}" for item in found.routes],
        "mounts": list(found.mounts),
        "events": list(found.events),
        "filters": list(found.filters),
        "jobs": list(found.jobs),
        "services": list(found.services),
        "tables": owned_tables(settings.database_path, grant_for(row.parsed, live)),
        "migrations": [f"{item['number']:04d}_{item['name']}" for item in store.applied(row.plugin)],
        "versions": history,
        "workers": _workers(settings, row.plugin),
        "suspicion": str(Suspects(settings.loading).of(row.image) or ""),
    }


def _workers(settings: Settings, plugin: str) -> list[Entry]:
    """What each worker that is there says of the plugin."""
    from hotbay.presence import Workers

    return [{"pid": status.pid, **status.of(plugin)} for status in Workers(settings.run).statuses()]


def _describe(document: Entry) -> str:
    here, manifest = document["installed"] or {}, document["manifest"]
    newest = ", ".join(offer["version"] for offer in document["available"])
    lists = ("grants", "routes", "mounts", "events", "filters", "jobs", "services", "tables", "migrations")
    workers = "\n".join(_worker(item) for item in here.get("workers", ()))
    return pairs(
        [
            ("id", document["id"]),
            *((name, manifest.get(name)) for name in ("name", "description", "author", "license", "homepage")),
            ("state", here.get("state", "not installed")),
            ("version", here.get("version")),
            ("problem", here.get("problem")),
            ("suspicion", "" if here.get("problem") else here.get("suspicion")),
            ("confirmation", (here.get("confirmation") or {}).get("text")),
            ("unloading", _unloading(here.get("leak"))),
            ("available", newest),
            ("signature", _signature((here or next(iter(document["available"]), {})).get("trust"))),
            ("requires", ", ".join(manifest.get("requires", ()))),
            ("installed", moment(here.get("installed_at"))),
            ("updated", moment(here.get("updated_at"))),
            *((name, "\n".join(here.get(name, ()))) for name in lists),
            ("kept", ", ".join(item["version"] for item in here.get("versions", ()))),
            ("workers", workers),
        ]
    )


def _unloading(leak: Entry | None) -> str:
    if leak is None:
        return ""
    first = (
        f"{leak['version']} stayed in memory, {leak['times']} time(s) in a row, last in operation {leak['operation']}"
    )
    return "\n".join([first, *leak["holders"]])


def _worker(item: Entry) -> str:
    """What one worker does with the plugin."""
    if "revision" not in item:
        return f"{item['pid']}: does not serve it"
    state = "loaded" if item["loaded"] else "asleep until it is needed"
    return f"{item['pid']}: {item['version']}, {state}, {item['requests']} requests, {item['failures']} failed"


@click.command(cls=Verb)
@click.argument("plugin", metavar="[ID]", default="", shell_complete=plugin_ids)
@click.option("--prometheus", is_flag=True, help="Print what a Prometheus server reads.")
@pass_shell
def metrics(shell: Shell, /, plugin: str, prometheus: bool) -> None:
    """Tell what the workers measured: requests, failures, latencies, memory; or one plugin's last minutes."""
    from hotbay.activity import activity
    from hotbay.metrics import render
    from hotbay.metrics import table as rows_of
    from hotbay.presence import Workers
    from hotbay.readings import readings

    workers = Workers(shell.settings().run)
    if plugin:
        with shell.registry() as store:
            store.get_live(plugin)
        last = {"addon_id": plugin} | activity(workers, plugin)
        shell.put(last, lambda: _print_activity(last["spans"]))
        return
    found = readings(workers)
    if prometheus:
        text = render(found)
        shell.put({"text": text}, text.rstrip("\n"))
    else:
        rows = rows_of(found)
        shell.put({"workers": len(found), "plugins": rows}, lambda: _print_metrics(rows, len(found)))


def _print_activity(spans: list[Entry]) -> None:
    rows = [
        (
            f"{span['at'] - spans[-1]['at']:.0f} s",
            span["requests"],
            span["failed"],
            seconds(span["p50"]),
            seconds(span["p99"]),
        )
        for span in spans
        if span["requests"]
    ]
    table(("WHEN", "REQUESTS", "FAILED", "P50", "P99"), rows)


def _print_metrics(rows: list[Entry], workers: int) -> None:
    if not rows:
        click.echo(f"{workers} worker(s) serve; nothing was measured.")
        return
    table(
        ("PLUGIN", "REQUESTS", "FAILED", "P50", "P99", "HELD THE LOOP", "LOADED", "MEMORY"),
        [
            (row["plugin"] or "(host)", row["requests"], row["failed"], seconds(row["p50"]), seconds(row["p99"]),
             f"{row['held']} ({seconds(row['held_seconds'])}) {row['held_where']}" if row["held"] else "",
             row["generations"], size(row["load_bytes"]))
            for row in rows
        ],
    )  # fmt: skip


VERBS = (list_, info, metrics)
