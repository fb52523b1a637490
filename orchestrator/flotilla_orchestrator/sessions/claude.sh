#!/bin/sh
# Starts the Claude CLI with only the environment named in FLOTILLA_KEEP (the SDK merges in its whole parent's), and so
# that the kernel kills it when its parent dies, however that happens. Without setpriv (outside Linux) a killed parent
# is noticed when the CLI next reads its input: it may finish the tool call it is in.
set -f -- "$FLOTILLA_CLAUDE_BINARY" "$@"
if command -v setpriv >/dev/null 2>&1; then
    set -- setpriv --pdeathsig KILL -- "$@"
fi
# Requests to the service come before what its sessions compute.
set -- nice -n 5 "$@"
# `env -u`, because a shell cannot unset every name that an environment can hold.
IFS='
'
for name in $(env | sed -n 's/=.*//p'); do
    case " $FLOTILLA_KEEP " in
        *" $name "*) ;;
        *) set -- -u "$name" "$@" ;;
    esac
done
exec env "$@"
