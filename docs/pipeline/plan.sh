#!/usr/bin/env bash
# Writes what a change would do into a file in Markdown: plan.sh OLD NEW FILE. Exit code 1 if a gate is closed.
#
# Gates: preflight refuses a stack; or the change makes something newly possible, and ACCESS_REVIEWED is not "yes".
set -uo pipefail
old=$1 new=$2 file=$3
longest=60000 # bytes; a comment on GitHub has 65,536 characters at most
source .venv/bin/activate
closed=0
block() { # title, command...
  local title=$1 code
  shift
  printf '\n### %s\n\n```\n' "$title" >>"$file"
  "$@" >>"$file" 2>&1
  code=$?
  printf '```\n' >>"$file"
  return "$code"
}
printf '## Plan\n' >"$file"
block "What it costs" groundwork cost --compare "$old" "$new"
block "What becomes possible" groundwork access-diff "$old" "$new" || [ "${ACCESS_REVIEWED:-}" = yes ] || closed=1
block "Would it deploy?" groundwork preflight || closed=1
block "What changes" cdk diff --no-change-set --no-color
if [ "$(wc -c <"$file")" -gt "$longest" ]; then
  cat "$file"
  head -c "$longest" "$file" | sed '$d' >"$file.short"
  printf '```\n\nThe rest of the plan is in the log of this job.\n' >>"$file.short"
  mv "$file.short" "$file"
fi
[ "$closed" = 0 ] || printf '\nA gate is closed: preflight refuses a stack, or the change makes something newly possible.\n' >>"$file"
exit "$closed"
