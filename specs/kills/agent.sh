# One session of a disturbed wave: `sh agent.sh implement|review|gate POLICY CEILING`.
#
# It logs to sessions.log, beside the wave file, when it began and ended, and the violations that it
# found. It takes locks on its issue, its lane and a slot, which its background processes inherit. So a
# session that finds a lock taken runs beside another one, even if that one's leader is gone: the kernel
# releases a lock when the last process that has it is gone.
step=$1 policy=$2 ceiling=$3
who="$RUN_NUMBER $step $WAVELANE_REPO $WAVELANE_ISSUE $WAVELANE_ATTEMPT $$"
own="$WAVELANE_ISSUE.txt"

say() {
    echo "$(date +%s%N) $1 $who $2" >>"$WAVELANE_DIR/sessions.log"
}

finish() {
    say end "$1"
    exit "$1"
}

merged() {
    git -C "$WAVELANE_DIR/$1" cat-file -e "$WAVELANE_AGENT_BRANCH:$2.txt" 2>/dev/null
}

. "$WAVELANE_DIR/issues/$WAVELANE_ISSUE" # kind, needs, seconds
case $kind in *stubborn*) trap '' TERM ;; esac

say begin
locks="$WAVELANE_DIR/locks"
exec 9>>"$locks/issue-$WAVELANE_ISSUE"
flock -n 9 || say beside "issue $(tail -n 1 "$locks/issue-$WAVELANE_ISSUE")"
echo "$who" >>"$locks/issue-$WAVELANE_ISSUE"
if [ "$policy" = done ] || [ "$step" != review ]; then
    exec 8>>"$locks/lane-$WAVELANE_REPO"
    flock -n 8 || say beside "lane $(tail -n 1 "$locks/lane-$WAVELANE_REPO")"
    echo "$who" >>"$locks/lane-$WAVELANE_REPO"
fi
slot=1
exec 7>>"$locks/slot-$slot"
until flock -n 7; do
    slot=$((slot + 1))
    if [ "$slot" -gt "$ceiling" ]; then
        say above "$ceiling"
        break
    fi
    exec 7>>"$locks/slot-$slot"
done
for need in $needs; do
    merged "${need%/*}" "${need#*/}" || say early "$need"
done
if merged "$WAVELANE_REPO" "$WAVELANE_ISSUE"; then say again; fi

case $kind$step in
*stubbornimplement) sleep 0.3 & ;; # ignores SIGTERM, as does who starts it
*stubborn*) ;;
*review) (setsid sleep 30 &) ;; # as agents start their tools: in a session of its own, an orphan
*) setsid sleep 30 & ;;
esac
sleep "$seconds"

case $step in
review)
    case $kind in
    *changes*) grep -q polished "$own" || { echo "polish it"; finish 1; } ;;
    esac
    finish 0
    ;;
gate)
    case $kind in
    *gate*) grep -q fixed "$own" || { echo "fix it"; finish 1; } ;;
    esac
    finish 0
    ;;
esac

case $kind in
*nothing*) finish 0 ;;
*blocked*) echo "which colour?"; finish 10 ;;
*fails*)
    mark="$WAVELANE_DIR/marks/$WAVELANE_ISSUE"
    [ -e "$mark" ] || { : >"$mark"; finish 3; }
    ;;
*checkpoint*)
    [ -e "$WAVELANE_ISSUE.part" ] || { echo part >"$WAVELANE_ISSUE.part"; finish 11; }
    ;;
esac

# Its content depends only on its dependencies' content and on the feedback, not on any order.
polished=$(grep -sq polish "$own" "$WAVELANE_FEEDBACK_FILE" && echo polished)
fixed=$(grep -sq fix "$own" "$WAVELANE_FEEDBACK_FILE" && echo fixed)
{
    echo "$WAVELANE_ISSUE"
    for need in $needs; do
        git -C "$WAVELANE_DIR/${need%/*}" show "$WAVELANE_AGENT_BRANCH:${need#*/}.txt" | sed 's/^/  /'
    done
} >"$own"
case $kind in
*changes*) [ -z "$polished" ] || echo polished >>"$own" ;;
*gate*) [ -z "$fixed" ] || echo fixed >>"$own" ;;
esac

# Two issues of one lane that write here conflict if they are implemented at the same time.
case $kind in
*shared*)
    { cat shared.txt; echo "$WAVELANE_ISSUE"; } | sort -u >shared.new
    mv shared.new shared.txt
    ;;
esac

# Another committer adds to the agent branch what this issue's branch does not have: a conflict.
case $kind in
*outside*)
    { cat outside.txt 2>/dev/null; echo "$WAVELANE_ISSUE"; } | sort -u >outside.new
    mv outside.new outside.txt
    agent="refs/heads/$WAVELANE_AGENT_BRANCH"
    if ! git cat-file -e "$agent:outside.txt" 2>/dev/null; then
        old=$(git rev-parse "$agent")
        export GIT_INDEX_FILE="$WAVELANE_DIR/marks/index-$$"
        git read-tree "$old"
        blob=$(echo outside | git hash-object -w --stdin)
        git update-index --add --cacheinfo "100644,$blob,outside.txt"
        new=$(git commit-tree -p "$old" -m outside "$(git write-tree)")
        git update-ref "$agent" "$new" "$old"
    fi
    ;;
esac
finish 0
