"""The page of a build: one file, no script, nothing loaded from elsewhere, the same every time."""

import string
from typing import NamedTuple

from data_prep.deid.pseudonym import Pseudonyms
from data_prep.qc import gallery, sections
from data_prep.qc.account import Account
from data_prep.qc.markup import Safe, e
from data_prep.qc.shards import Exam, Shards
from data_prep.qc.survey import Survey

FILE = "qc.html"


class Facts(NamedTuple):
    """What may be said of a build beside its numbers."""

    site: str
    key_id: str
    program: str
    schema_version: int


PAGE = string.Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1b2733; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { margin-top: 2.5rem; border-bottom: 1px solid #d6dde3 } h3 { margin-top: 1.8rem }
a { color: #2c5f87 } nav a { margin-right: .9rem; white-space: nowrap } code { font-size: .85em }
.big { font-size: 1.15rem } .note { color: #55636f } img { max-width: 100% } figure { margin: 0 }
summary { cursor: pointer; font-weight: bold; margin: 1rem 0 } .warn { color: #b3202c }
.look { border-left: 4px solid #b3202c; padding: .2rem 0 .2rem 1rem; margin: 1rem 0 }
.look ul { margin: .2rem 0; padding-left: 1.1rem } .fine { border-color: #3f6f96 }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .8rem; text-align: right; vertical-align: top; font-weight: normal }
thead th { color: #55636f; vertical-align: bottom } th:first-child, .text td, .text th { text-align: left }
tbody tr:nth-child(odd) { background: #f3f6f8 } .scroll { overflow-x: auto }
td small { color: #55636f } td small, tbody th, code { white-space: nowrap }
.lines small, .text small { display: block } .lines small.warn { color: #b3202c }
.text td:nth-child(3), .text th:nth-child(3) { text-align: right } .text td:nth-child(4) { min-width: 12rem }
.text td small { white-space: normal; min-width: 15rem }
.bar { display: flex; min-width: 5rem; height: .8rem; margin-top: .35rem; border-radius: 2px; overflow: hidden }
.scroll .bar { width: min(16rem, 24vw) } .bar i { display: block; height: 100% }
i.key { display: inline-block; width: .7rem; height: .7rem; border-radius: 2px }
i.used { background: #3f6f96 } i.rejected { background: #b3202c } i.ignored { background: #b9c4cd }
.charts, .found { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(19rem, 100%), 1fr)); gap: 1rem }
.found.hearts { grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)) }
.found.small { grid-template-columns: repeat(auto-fill, minmax(12rem, 1fr)) }
.chart, .found figure, .row { background: #f3f6f8; border-radius: 6px; overflow: hidden }
.chart { padding: .6rem .8rem } .chart figcaption { font-size: .85rem; color: #55636f }
.chart figcaption b { display: block; font-size: .95rem; color: #1b2733 }
.chart svg { width: 100%; display: block; overflow: visible }
.chart rect { fill: #3f6f96 } .chart line { stroke: #8a97a3 }
.chart text { font-size: 11px; fill: #55636f } .chart tr:nth-child(n) { background: none }
.chart table { width: 100%; margin: .4rem 0 0; font-size: .9rem } .chart .grow { width: 60% }
.chart th, .chart td { padding: .1rem .3rem .1rem 0 }
.found img { width: 100%; background: #000; display: block }
.found figcaption, .row > figcaption { padding: .5rem .7rem; font-size: .85rem; overflow-wrap: anywhere }
.row { margin-bottom: .8rem } .tiles { display: grid; gap: 2px; background: #000 }
.tiles { grid-template-columns: repeat(auto-fill, minmax(6.4rem, 1fr)) }
.tiles figure { color: #d6dde3; font-size: .7rem; text-align: center } .tiles img { width: 100%; display: block }
.none { aspect-ratio: 1; display: grid; place-items: center; color: #8a97a3 }
@media (max-width: 480px) {
  .scroll .bar { width: 9vw; min-width: 1.5rem }
  body { margin-top: 1rem } th, td { padding: .25rem .4rem } .chart { padding: .5rem .6rem }
  .found.hearts, .found.small { grid-template-columns: 1fr 1fr; gap: .6rem }
}
@media print { details, figure { break-inside: avoid } }
</style></head><body>
<header><h1>What this build holds</h1>
<p class="note">$facts</p></header>
<main>
$sections
</main>
<footer><p class="note">Every statistic is read back from the shards; what was not used is counted by the build.
Names of exams and files are keyed pseudonyms. Research software. Not a medical device.</p></footer>
</body></html>
""")


def page(
    account: Account,
    pseudonyms: Pseudonyms,
    facts: Facts,
    shards: Shards,
    found: Survey,
    sheet: list[Exam],
) -> str:
    """The whole page."""
    parts = [
        sections.headline(account, found),
        sections.worth_a_look(account, found),
        sections.contents(),
        gallery.moving(shards),
        sections.flow(account),
        sections.rejected(account, pseudonyms),
        sections.kinds(found),
        sections.measures(found),
        sections.reports(found),
        sections.splits(found),
        gallery.least_sure(shards, found),
        gallery.contact(shards, sheet),
    ]
    said = (
        f"site {facts.site}, {facts.program}, schema {facts.schema_version}, "
        f"pseudonyms under key {facts.key_id}"
    )
    return PAGE.substitute(
        title=e(f"cmr_jax data of {facts.site}"),
        facts=e(said),
        sections=Safe("\n".join(parts)),
    )
