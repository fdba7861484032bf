#!/usr/bin/env bash
# Words a sentence of README and book: a line a page, and every sentence of more than 35 words.
# Usage: scripts/prose.sh [--mean MAX] [PAGE...]   MAX: exit code 1 if the mean of a page is above it.
#
# Code blocks, tables, headings, images and displayed formulas are skipped. A code span, a formula in the text and a number count
# as one word. A sentence ends at a full stop, a question or exclamation mark before a space, and at the end of its paragraph or item.
set -euo pipefail
cd "$(dirname "$0")/.."
mean=0
if [ "${1:-}" = --mean ]; then
    mean=${2:?--mean needs a number}
    shift 2
fi
if [ $# -eq 0 ]; then
    mapfile -t pages < <(printf 'README.md\n'; find docs/src -name '*.md' ! -name SUMMARY.md | sort)
    set -- "${pages[@]}"
fi
LC_ALL=C awk -v most="$mean" '
function sentence(text,    tokens, n, i, words) {
    n = split(text, tokens, /[ \t]+/)
    words = 0
    for (i = 1; i <= n; i++) if (tokens[i] ~ /[A-Za-z0-9\200-\377]/ && tokens[i] !~ /^(\342\200\223|\302\261|\303\227|\342\206\222)$/) words++
    if (words == 0) return
    sentences++; total += words
    if (words > longest) longest = words
    if (words > 35) long[++longs] = sprintf("%s:%d: %d words: %s", page, start, words, text)
}
# Ends the paragraph: takes out what is no prose, and cuts the rest into sentences.
function paragraph(    text, at) {
    text = held; held = ""
    if (text == "") return
    gsub(/\$`[^`]*`\$/, "X", text)
    gsub(/`[^`]*`/, "X", text)
    gsub(/!\[[^]]*\]\([^)]*\)/, "", text)
    while (match(text, /\[[^]]*\]\([^)]*\)/)) {
        at = substr(text, RSTART + 1, RLENGTH - 1); sub(/\]\(.*/, "", at)
        text = substr(text, 1, RSTART - 1) at substr(text, RSTART + RLENGTH)
    }
    gsub(/<[^>]*>/, "", text)
    gsub(/[*_]/, "", text)
    gsub(/et al\./, "et al", text); gsub(/i\.i\.d\./, "iid", text)
    while (match(text, /[.?!][)"]?[ \t]+/)) {
        sentence(substr(text, 1, RSTART))
        text = substr(text, RSTART + RLENGTH)
    }
    sentence(text)
}
function close_page() {
    paragraph()
    if (page == "") return
    if (sentences) {
        printf "%6.1f words a sentence, longest %3d, %4d sentences  %s\n", total / sentences, longest, sentences, page
        if (most > 0 && total / sentences > most) { above = above " " page }
    }
    all_words += total; all_sentences += sentences
    total = sentences = longest = 0
}
FNR == 1 { close_page(); page = FILENAME; code = 0 }
/^[ \t]*```/ { paragraph(); code = !code; next }
code { next }
/^[ \t]*$/ || /^#/ || /^[ \t]*\|/ || /^    [^ ]/ && held == "" || /^<!--/ { paragraph(); next }
/^[ \t]*([-*]|[0-9]+\.)[ \t]/ { paragraph(); sub(/^[ \t]*([-*]|[0-9]+\.)[ \t]+/, "") }
held == "" { start = FNR }
{ sub(/^[ \t]+/, ""); sub(/[ \t]+$/, ""); held = held (held == "" ? "" : " ") $0 }
END {
    close_page()
    printf "%6.1f words a sentence in all\n", all_words / all_sentences
    if (longs) print "\nmore than 35 words:"
    for (i = 1; i <= longs; i++) print long[i]
    if (above != "") { print "\nmean above " most ":" above; exit 1 }
}' "$@"
