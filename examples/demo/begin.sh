# begin.sh: what every job of the demo begins with.
#
# It notes the start and the end of the run in a ledger that crontabber knows nothing of. Each note is one short write to
# a file opened with O_APPEND, so that notes of runs that go on at once do not mix. A run that is killed notes no end.
set -eu
note() {
    echo "$1 $CRONTABBER_JOB $CRONTABBER_SLOT $CRONTABBER_ATTEMPT $CRONTABBER_RUN_ID $DEMO_HOST" >> ledger
}
note start
trap 'note end' EXIT
