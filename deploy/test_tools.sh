#!/bin/sh
# What the tests need from the system: Chromium for the browser tests, Prometheus for the comparisons with it.
# Installs what is missing through apt-get when it may, and says so.
set -eu
missing=""
for tool in chromium prometheus; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "The tests need:$missing. Install with  sudo apt-get install$missing" >&2
    case "$missing" in *chromium*) exit 1 ;; esac
    echo "Going on without: the comparisons with Prometheus will be skipped." >&2
    exit 0
fi
echo "Installing$missing with apt-get"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086  a list of names
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
