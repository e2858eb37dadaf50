"""What the words of series descriptions say, and why: `python -m data_prep.classify`.

Nothing is read but the words given here.  In a build, planes and acquisition are witnesses too.

  python -m data_prep.classify --explain "SAX_IrP-FGRE_TI=240" "4CH_CINE_IR"
  python -m data_prep.classify --table descriptions.csv
  python -m data_prep.classify --lexicon our_words.tsv --explain "Herz 4KB"
"""

import argparse
import pathlib
import sys

from data_prep.classify import lexicon, table
from data_prep.classify.lexicon import CHAMBERS, KINDS, Entry, Lexicon


def explain(description: str, words: Lexicon) -> str:
    """View, sequence and contrast of a description, the entries that won and those that lost."""
    read = lexicon.normalise(description)
    lines = [repr(description), f"  read as   {read or '(nothing)'}"]
    for kind in KINDS:
        found = words.matching(kind, description)
        lines += _verdict(kind, found)
        lines += [f"    {_place(i, found)}  {_line(e, read)}" for i, e in enumerate(found)]
    return "\n".join(lines)


def _verdict(kind: str, found: list[Entry]) -> list[str]:
    label = lexicon.decided(found)
    if label or not found:
        return [f"  {kind:9} {label or 'named by no word'}"]
    names = sorted({e.label for e in found} & CHAMBERS)
    return [f"  {kind:9} none: {' and '.join(names)} are named at once"]


def _place(index: int, found: list[Entry]) -> str:
    return "won " if index == 0 and lexicon.decided(found) else "lost"


def _line(entry: Entry, read: str) -> str:
    return (
        f"{entry.label:9} priority {entry.priority:3}, by {entry.found_in(read)!r} "
        f"(the entry of {entry.example!r})"
    )


def main(argv: list[str] | None = None) -> int:
    """Command line; 2 where an argument cannot be used."""
    parser = argparse.ArgumentParser(
        "python -m data_prep.classify",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--explain",
        nargs="+",
        metavar="DESC",
        help="descriptions to explain: what they name, by which entry, and which entries lost",
    )
    what.add_argument(
        "--table",
        type=pathlib.Path,
        metavar="FILE.csv",
        help="a CSV file with a header and the columns description, count, label "
        f"({', '.join(table.LABELS)} of a cine, or empty): accuracy per string and per series, "
        "what was left open, and the confusion",
    )
    parser.add_argument(
        "--lexicon",
        type=pathlib.Path,
        metavar="FILE.tsv",
        help="a site's own words, asked before the project's at equal priority; columns "
        f"{', '.join(lexicon.COLUMNS)}, as in data_prep/classify/lexicon.tsv",
    )
    args = parser.parse_args(argv)
    try:
        words = lexicon.load(args.lexicon)
        if args.table:
            print(table.report(table.evaluate(table.read(args.table), words)))
        else:
            print("\n\n".join(explain(text, words) for text in args.explain))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
