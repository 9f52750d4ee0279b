#!/usr/bin/env bash
# Starts three members of examples/kv on this machine, until Ctrl-C, which drains them. Then, from elsewhere:
#
#   curl -X PUT --data-binary hello http://127.0.0.1:8001/kv/greeting
#   curl http://127.0.0.1:8003/kv/greeting
#
#   three.sh [FOLDER]        certificates and data are kept in FOLDER (default kv-data)
#   ENGINE=hashicorp three.sh
#   PORT=9000 three.sh       the HTTP ports are 9001 to 9003, the UDP ports 1000 less (default 8000)
set -euo pipefail
set -m # members are in process groups of their own: Ctrl-C comes to them from here, once
mkdir -p "${1:-kv-data}"
data="$(cd "${1:-kv-data}" && pwd)"
cd "$(dirname "$0")/../.."

http="${PORT:-8000}" udp=$((${PORT:-8000} - 1000))
go build -o "$data/kv" ./examples/kv
[[ -e "$data/tls/n3/node.pem" ]] || "$data/kv" certs --dir "$data/tls"

peers=""
for i in 1 2 3; do
	peers+="${peers:+,}$i=127.0.0.1:$((udp + i))/127.0.0.1:$((http + i))"
done
members=()
trap 'trap - INT TERM EXIT; kill -INT "${members[@]}" 2>/dev/null; wait' INT TERM EXIT
for i in 1 2 3; do
	"$data/kv" --id "$i" --dir "$data/n$i" --tls-dir "$data/tls/n$i" --http "127.0.0.1:$((http + i))" \
		--peers "$peers" --engine "${ENGINE:-octopii}" &
	members+=($!)
done
wait
