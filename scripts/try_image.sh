#!/bin/bash
# Runs the image IMAGE with nothing to write to, and asks it for a prediction: scripts/try_image.sh IMAGE
set -euo pipefail
image=${1:?the image to try, such as localhost/atraso:0.1.0}

code=0
docker run --rm --read-only --cap-drop ALL "$image" || code=$?
if [ "$code" != 2 ]; then
  echo "It should have refused to start with exit code 2, because nobody would have had to log in; it was $code." >&2
  exit 1
fi

id=$(docker run --detach --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges --memory 512m \
  --env ATRASO_AUTH=keys --publish 127.0.0.1::5000 "$image")
trap 'docker logs "$id"; docker rm --force --volumes "$id" > /dev/null' EXIT
url=http://$(docker port "$id" 5000/tcp)

for _ in $(seq 30); do
  if curl --fail --silent --output /dev/null "$url/health/ready"; then break; fi
  sleep 0.2
done
key=$(docker exec "$id" atraso keys create --name try --role predict)
sleep 6 # a new key counts within five seconds
curl --fail --silent --show-error "$url/v1/predictions" -H "authorization: Bearer $key" -H 'content-type: application/json' \
  -d '{"flights": [{"airline": "LAN", "flight_number": "600", "destination": "SPJC", "scheduled_departure": "2017-07-14T09:05:00"}]}' |
  grep delay_probability
test "$(curl --silent --output /dev/null --write-out '%{http_code}' "$url/v1/model")" = 401

docker stop --time 10 "$id" > /dev/null
test "$(docker inspect --format '{{.State.ExitCode}}' "$id")" = 0
echo "$image answers, asks who calls, and stops as it is told."
