#!/bin/sh
# The change by hand, on the server as root: stop, change, start, and ask until the service answers. Prints the seconds
# from stop to healthy. Reads the change from standard input.
set -eu
change=$(mktemp)
trap 'rm "$change"' EXIT
cat > "$change" && chmod 0644 "$change"
began=$(date +%s.%N)
systemctl stop ai-memory
runuser -u postgres -- psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=ai_memory --file="$change" > /dev/null
systemctl start ai-memory
until curl --silent --fail --output /dev/null --max-time 5 http://127.0.0.1:8100/health; do sleep 0.05; done
echo "$(date +%s.%N) - $began" | awk '{ printf "%.3f\n", $1 - $3 }'
