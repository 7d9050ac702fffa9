#!/usr/bin/env bash
# Downloads a data set, checks it and unpacks it into FOLDER, by default data/NAME in the current folder, where the
# program looks for it. Files appear there complete or not at all, and those that are there already are left alone.
# fetch_sources.txt beside this script says where from, and the SHA-256.
set -euo pipefail

fail() { echo "data/fetch.sh: $1" >&2; exit 1; }

files_of() {
  case "$1" in
    cifar10) echo data_batch_{1..5}.bin test_batch.bin ;;
    cifar100) echo train.bin test.bin ;;
    mnist | fashion_mnist) echo {train,t10k}-{images-idx3,labels-idx1}-ubyte ;;
    *) return 2 ;;
  esac
}

is_complete() {
  local file
  for file in $files; do
    [[ -f "$1/$file" ]] || return 1
  done
}

download() {
  echo "Downloading $1"
  if command -v curl >/dev/null; then
    curl --fail --location --retry 3 --silent --show-error --output "$2" "$1"
  elif command -v wget >/dev/null; then
    wget --no-verbose --tries 3 --output-document "$2" "$1"
  else
    fail "needs curl or wget"
  fi
}

unpack() {
  case "$1" in
    *.tar.gz) tar -xzf "$1" -C "$work" --strip-components 1 --no-same-owner ;;
    *.gz) gunzip "$1" ;;
  esac
}

if [[ $# -lt 1 || $# -gt 2 ]] || ! files="$(files_of "$1")"; then
  echo "usage: data/fetch.sh cifar10|cifar100|mnist|fashion_mnist [FOLDER]" >&2
  exit 2
fi
name="$1" folder="${2:-data/$1}"
sources="$(dirname "${BASH_SOURCE[0]}")/fetch_sources.txt"
for place in "$folder" "$folder/cifar-10-batches-bin" "$folder/cifar-100-binary"; do
  if is_complete "$place"; then
    echo "$name is in $place"
    exit
  fi
done

mkdir -p "$folder"
work="$(mktemp -d "$folder/.fetch.XXXXXX")"
trap 'rm -rf "$work"' EXIT
while read -r set sha256 url <&3; do
  [[ "$set" == "$name" ]] || continue
  archive="$work/${url##*/}"
  download "$url" "$archive" || fail "cannot download $url"
  actual="$(sha256sum <"$archive")"
  [[ "${actual%% *}" == "$sha256" ]] || fail "$url has the SHA-256 ${actual%% *}; expected $sha256"
  unpack "$archive" || fail "cannot unpack $url"
done 3<"$sources"
is_complete "$work" || fail "$sources lists no files that have all of: $files"
for file in $files; do
  [[ -e "$folder/$file" ]] || mv "$work/$file" "$folder/"
done
echo "$name is in $folder"
