# Stages of a check: each is named, timed, and has a line in the table at the end.
#
#   stage NAME COMMAND…     runs it; what it prints is shown as it comes
#   beside NAME COMMAND…    begins it, and goes on; what it prints is shown by the next `together`
#   together                waits for all that were begun
#
# A stage that fails ends the check after its group, unless KEEP_GOING is set; then the rest is run,
# and the check fails at its end. The last line that a stage printed stands beside it in the table.

stages=$(mktemp -d)
count=0
failed=0
check_began=$SECONDS

stage() {
    _next "$1"
    printf '\n== %s\n' "$1"
    _timed "$number" "${@:2}" 2>&1 | tee "$stages/$number.log"
    _heed "$number"
    _stop_where_one_failed
}

beside() {
    _next "$1"
    _timed "$number" "${@:2}" >"$stages/$number.log" 2>&1 &
    begun+=("$number $!")
}

together() {
    local one number pid
    for one in "${begun[@]}"; do
        read -r number pid <<<"$one"
        wait "$pid"
        printf '\n== %s\n' "$(cat "$stages/$number.name")"
        cat "$stages/$number.log"
        _heed "$number"
    done
    begun=()
    _stop_where_one_failed
}

begun=()

_next() {
    count=$((count + 1))
    number=$(printf '%02d' "$count")
    printf '%s' "$1" >"$stages/$number.name"
}

_timed() { # NUMBER COMMAND…: the command's status and seconds go to a file; the status is always 0
    local began=$SECONDS status=0
    "${@:2}" || status=$?
    printf '%s %s\n' "$status" "$((SECONDS - began))" >"$stages/$1.result"
}

_heed() {
    local status seconds
    read -r status seconds <"$stages/$1.result"
    if [ "$status" -ne 0 ]; then failed=1; fi
}

_stop_where_one_failed() {
    if [ "$failed" -ne 0 ] && [ -z "${KEEP_GOING:-}" ]; then exit 1; fi
}

_table() {
    local status=$? file number outcome seconds
    local pids
    pids=$(jobs -p)
    if [ -n "$pids" ]; then kill $pids 2>/dev/null; fi
    printf '\n%7s  %-7s %-52s %s\n' seconds result stage 'last line'
    for file in "$stages"/*.name; do
        number=$(basename "$file" .name)
        outcome="-" seconds="-"
        if [ -e "$stages/$number.result" ]; then
            read -r outcome seconds <"$stages/$number.result"
            if [ "$outcome" -eq 0 ]; then outcome=ok; else outcome="FAILED"; fi
        fi
        printf '%7s  %-7s %-52s %s\n' "$seconds" "$outcome" "$(cat "$file")" \
            "$(grep -v '^[[:space:]]*$' "$stages/$number.log" 2>/dev/null | tail -n 1 | cut -c 1-100)"
    done
    printf '%7s  in all\n' "$((SECONDS - check_began))"
    rm -rf "$stages"
    if [ "$status" -eq 0 ]; then status=$failed; fi
    exit "$status"
}
trap _table EXIT
