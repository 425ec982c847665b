#!/bin/sh
# Make the manual change, on the server as root: stop the service, change the database, start the service, and wait
# until it is healthy. The script reads the SQL of the change from standard input. It prints the seconds from the stop
# until the service is healthy.
set -eu
change=$(mktemp)
trap 'rm "$change"' EXIT
cat > "$change" && chmod 0644 "$change"
began=$(date +%s.%N)
systemctl stop ai-memory
runuser -u postgres -- psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=ai_memory --file="$change" > /dev/null
systemctl start ai-memory
until curl --silent --fail --output /dev/null --max-time 60 http://127.0.0.1:8100/health; do sleep 0.05; done
echo "$(date +%s.%N) - $began" | awk '{ printf "%.3f\n", $1 - $3 }'
