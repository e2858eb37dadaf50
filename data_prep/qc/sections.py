"""The parts of the page that count: what came in, what went where, what the shards hold."""

from collections import Counter, defaultdict

from data_prep.deid.pseudonym import Pseudonyms
from data_prep.qc import chart, rejects
from data_prep.qc.account import Account
from data_prep.qc.markup import Safe, e, number, percent, shares, table
from data_prep.qc.survey import UNSURE, Balance, Survey
from data_prep.read.reject import Why

EXAMPLES = 3  # of what was not used, for each reason
CONTENTS = (
    ("hearts", "Hearts"),
    ("flow", "In and out"),
    ("kinds", "Views"),
    ("measures", "Measures"),
    ("reports", "Reports"),
    ("splits", "Splits"),
    ("unsure", "Least sure"),
    ("sheet", "Contact sheet"),
)


def title(name: str) -> Safe:
    """A heading that the contents can point at."""
    return Safe(f'<h2 id="{name}">{dict(CONTENTS)[name]}</h2>')


def contents() -> Safe:
    """Links to the parts of the page."""
    links = " ".join(f'<a href="#{name}">{said}</a>' for name, said in CONTENTS)
    return Safe(f'<nav aria-label="Parts of this page">{links}</nav>')


def headline(account: Account, found: Survey) -> Safe:
    """The build in two sentences."""
    shares_of = ", ".join(f"{number(b.exams)} {split}" for split, b in found.splits.items())
    return Safe(
        f'<p class="big"><b>{number(found.exams)}</b> exams of <b>{number(found.patients)}</b> patients '
        f"({e(shares_of) or 'none'}): {number(found.stacks)} stacks, {number(found.images)} images, "
        f"{number(found.reports)} impressions.</p>"
        f'<p class="note">{number(account.files_found)} files came in; '
        f"{percent(account.files_used, account.files_found)} of them are in the shards.</p>"
    )


def worth_a_look(account: Account, found: Survey) -> Safe:
    """What a person should look at first, in plain words."""
    said = []
    for level, reasons in sorted(_reasons(account).items()):
        bad = Counter({why: n for (why, n) in reasons.items() if not why.ignored})
        if bad:
            why, _ = bad.most_common(1)[0]
            said.append(f"{number(bad.total())} {level} were rejected, most as {_name(why)}.")
    if found.unsure:
        share = percent(found.unsure, found.stacks)
        said.append(f"{number(found.unsure)} stacks ({share}) have a confidence below {UNSURE}.")
    if found.without_sax_cine:
        said.append(f"{number(found.without_sax_cine)} exams have no short-axis cine.")
    if found.without_report:
        said.append(f"{number(found.without_report)} exams have no impression.")
    for split in list(found.splits)[1:]:
        if seen := found.seen_in_training(split):
            said.append(f"{number(seen)} impressions of {split} read like one of train.")
    if not said:
        return Safe('<div class="look fine"><p>Nothing stands out.</p></div>')
    lines = "".join(f"<li>{e(line)}</li>" for line in said)
    return Safe(f'<div class="look"><b>Worth a look</b><ul>{lines}</ul></div>')


def flow(account: Account) -> Safe:
    """Files, exams, reports: found = used + rejected + ignored."""
    rows = []
    for level, found, used in (
        ("files", account.files_found, account.files_used),
        ("exams", account.exams_found, account.exams_written),
        ("reports", account.reports_found, account.reports_used),
    ):
        reasons = _reasons(account)[level]
        ignored = sum(n for why, n in reasons.items() if why.ignored)
        rejected = sum(reasons.values()) - ignored
        parts = [("used", used), ("rejected", rejected), ("ignored", ignored)]
        numbers = [number(n) for n in (found, used, rejected, ignored)]
        rows.append([level, numbers[0], shares(parts), *numbers[1:]])
    keys = [Safe(f'<i class="key {k}"></i> {k}') for k in ("used", "rejected", "ignored")]
    counts = table("What came in and where it went", ["", "found", "", *keys], rows)
    return Safe(
        title("flow")
        + '<p class="note">found = used + rejected + ignored, at every level.</p>'
        + counts
    )


def rejected(account: Account, pseudonyms: Pseudonyms) -> Safe:
    """Every reason with its count, the way out and a few examples by pseudonym."""
    examples: dict[tuple[str, Why], set[tuple[str, str]]] = defaultdict(set)
    for level, found in account.rejects.items():
        for r in found:
            examples[level, r.why].add(
                (rejects.pseudonym(r, pseudonyms), rejects.safe_detail(r.detail))
            )
    rows = []
    for level, reasons in sorted(_reasons(account).items()):
        for why, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0].name)):
            shown = "".join(
                f"<small><code>{e(name)}</code> {e(detail)}</small>"
                for name, detail in sorted(examples[level, why])[:EXAMPLES]
            )
            key = Safe(
                f'<i class="key {"ignored" if why.ignored else "rejected"}"></i> {_name(why)}'
            )
            rows.append([key, level, number(count), why.way_out, Safe(shown)])
    if not rows:
        return Safe("<p>Everything that came in was used.</p>")
    head = ["reason", "of", "count", "what to do", "for example"]
    listed = table("Reasons why inputs were not used", head, rows)
    return Safe(
        f'<h3>What was not used</h3><div class="text">{listed}</div>'
        f'<p class="note">All of them are in {rejects.FILE}; true paths are in a private file beside '
        "the output.</p>"
    )


def kinds(found: Survey) -> Safe:
    """Views by sequences: stacks, mean confidence, how many are not sure."""
    views = sorted({view for view, _ in found.kinds})
    sequences = sorted({sequence for _, sequence in found.kinds})
    rows = []
    for view in views:
        row: list[object] = [view.name]
        for sequence in sequences:
            kind = found.kinds.get((view, sequence))
            if kind is None:
                row.append("")
                continue
            unsure = (
                f'<small class="warn">{number(kind.unsure)} unsure</small>' if kind.unsure else ""
            )
            row.append(
                Safe(
                    f"{number(kind.stacks)}<small>{percent(kind.exams, found.exams)} of exams</small>"
                    f"<small>confidence {kind.mean_confidence:.2f}</small>{unsure}"
                )
            )
        rows.append(row)
    head = ["view", *(s.name for s in sequences)]
    return Safe(
        title("kinds")
        + f'<p class="note">Stacks, the share of exams that have one, mean confidence of the label; '
        f"unsure: below {UNSURE}.</p>"
        + f'<div class="lines">{table("Views and sequences", head, rows)}</div>'
    )


def measures(found: Survey) -> Safe:
    """Histograms of the stacks, and whose scanners they come from."""
    stills = found.measures["phases"][1]
    moving = Counter({phases: n for phases, n in found.measures["phases"].items() if phases > 1})
    charts = [
        chart.standing("Slices", found.measures["slices"], "per stack"),
        chart.standing("Phases", moving, f"per moving stack, beside {number(stills)} stills"),
        chart.standing("Pixel spacing", found.measures["spacing"], "as stored", "mm"),
        chart.standing("RR interval", found.measures["rr"], "of cines", "ms"),
        chart.lying("Vendor", _facts(found, "vendor"), "exams"),
        chart.lying("Field strength", _facts(found, "field strength"), "exams"),
    ]
    return Safe(f'{title("measures")}<div class="charts">{"".join(charts)}</div>')


def reports(found: Survey) -> Safe:
    """Lengths of the impressions, how many read alike, what was taken out; never a text."""
    charts = [
        chart.standing("Words", found.measures["words"], "per impression"),
        chart.standing("Sentences", found.measures["sentences"], "per impression"),
        chart.lying(
            "Identifiers taken out",
            Counter({f"[{name}]": n for name, n in found.removed.items()}),
            f"placeholders in {number(found.scrubbed)} of {number(found.reports)} impressions",
        ),
    ]
    alike = (
        f"{number(found.alike)} of {number(found.reports)} impressions "
        f"({percent(found.alike, found.reports)}) read like another one: the same words, whatever "
        f"the numbers, case and punctuation. There are {number(len(found.texts))} different ones."
    )
    return Safe(
        f'{title("reports")}<div class="charts">{"".join(charts)}</div><p>{alike}</p>'
        '<p class="note">Text scrubbing is rules, not magic: read a sample before you share.</p>'
    )


def splits(found: Survey) -> Safe:
    """Who is in which split."""
    balances = list(found.splits.values())
    rows: list[list[object]] = [
        ["patients", *(number(len(b.patients)) for b in balances)],
        ["exams", *(number(b.exams) for b in balances)],
    ]
    for fact in ("sex", "age band", "vendor", "field strength"):
        for value in sorted(_facts(found, fact)):
            rows.append([f"{fact} {value}", *(_share(b, fact, value) for b in balances)])
    return Safe(
        title("splits")
        + f'<p class="note">{found.sharing} Shares are of the exams of a split.</p>'
        + table("Balance of the splits", ["", *found.splits], rows)
    )


def _share(balance: Balance, fact: str, value: str) -> Safe:
    if not (count := balance.facts[fact, value]):
        return Safe("0")
    return Safe(f"{number(count)} <small>{percent(count, balance.exams)}</small>")


def _facts(found: Survey, fact: str) -> Counter:
    counts: Counter = Counter()
    for balance in found.splits.values():
        for (name, value), count in balance.facts.items():
            counts[value] += count if name == fact else 0
    return +counts


def _reasons(account: Account) -> dict[str, Counter]:
    found: dict[str, Counter] = defaultdict(Counter)
    for level, rejected_ones in account.rejects.items():
        for r in rejected_ones:
            found[level][r.why] += r.count
    return found


def _name(why: Why) -> str:
    return why.name.lower().replace("_", " ")
