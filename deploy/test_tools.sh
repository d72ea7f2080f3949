#!/bin/sh
# What the tests need from the system: Chromium for the browser tests, Prometheus for the comparisons with it, and
# clients of others that send to us (amtool, collectd).
# Installs what is missing through apt-get when it may, and says so.
set -eu
missing=""
PATH="$PATH:/usr/sbin"
for tool in chromium prometheus amtool collectd; do
    command -v "$tool" >/dev/null && continue
    case "$tool" in
        amtool) missing="$missing prometheus-alertmanager" ;;
        # The program without the package that starts it, and what its write_http plugin loads.
        collectd) missing="$missing collectd-core libcurl3-gnutls libyajl2" ;;
        *) missing="$missing $tool" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "The tests need:$missing. Install with  sudo apt-get install$missing" >&2
    case "$missing" in *chromium*) exit 1 ;; esac
    echo "Going on without: the comparisons with Prometheus and the tests with real clients will be skipped." >&2
    exit 0
fi
echo "Installing$missing with apt-get"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086  a list of names
$as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
