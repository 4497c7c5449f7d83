#!/usr/bin/env bash
# Builds the cpu target without a Docker engine, and segments a phantom in it. As root, on Debian 12, with buildah and
# debootstrap; about 15 GB in the folder given (or a temporary one), removed at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=$(realpath "${1:-$(mktemp -d)}")
mkdir -p "$work"
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
export TMPDIR="$work"
buildah() { command buildah --root "$work/storage" --runroot "$work/run" "$@"; }
container=""
clean() {
    [ -z "$container" ] || buildah rm "$container" > /dev/null || true
    buildah rm --all > /dev/null 2>&1 || true
    rm -rf "$work/base" "$work/storage" "$work/run" "$work/in" "$work/out"
}
trap clean EXIT

echo "== base image: Debian 12 with Python, by debootstrap"
packages=ca-certificates,python3,python3-venv,python3-pip
debootstrap --variant=minbase --include="$packages" bookworm "$work/base" "${MIRROR:-http://deb.debian.org/debian}" \
    > "$work/debootstrap.log" || { tail "$work/debootstrap.log"; exit 1; }
scratch=$(buildah from scratch)
buildah add --quiet "$scratch" "$work/base" /
buildah commit --quiet --rm "$scratch" localhost/debian-base:bookworm > /dev/null
rm -rf "$work/base"

# pip in the build reaches what pip here reaches: its settings, certificates and folders of packages, all read only.
options=(--volume /etc/ssl/certs:/etc/ssl/certs:ro)
paths=$(python3 -m pip config list | grep -o "['\" ]\(file://\)\?/[^/' ][^' ]*" | tr -d "'\" " || true)
for path in /etc/xdg/pip $paths; do
    folder=${path#file://}
    if [ "$folder" != "$path" ] || [ -f "$folder" ]; then folder=$(dirname "$folder"); fi
    if [ -d "$folder" ] && [[ " ${options[*]} " != *" $folder:"* ]]; then options+=(--volume "$folder:$folder:ro"); fi
done

echo "== target cpu"
buildah bud --quiet --format docker --file docker/Dockerfile --target cpu --build-arg BASE=localhost/debian-base:bookworm \
    --build-arg TORCH_INDEX="${TORCH_INDEX:-https://pypi.org/simple}" "${options[@]}" --tag localhost/ctvol:cpu .

echo "== a phantom, segmented in it, without a network"
mkdir -p "$work/in" "$work/out"
chmod 777 "$work/in" "$work/out"
container=$(buildah from localhost/ctvol:cpu)
run() {
    unshare --net -- env STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot TMPDIR="$work" \
        buildah --root "$work/storage" --runroot "$work/run" run \
        --volume "$work/in:/in" --volume "$work/out:/out" "$container" -- "$@"
}
run id
test "$(run id --user)" = 1000
run ctvol phantom /in --format dicom --slices 60 --seed 7
run ctvol segment /in/ct -o /out --device cpu
run ctvol bundle list        # what the health check asks
run python3 -c 'import sys; assert sys.flags.safe_path'
ls -l "$work/out/ct"
test -s "$work/out/ct/labels.nii.gz"
test -s "$work/out/ct/labels.seg.dcm"
cat "$work/out/cases.csv" | cut -d, -f1-4
grep -q '^ct,done,' "$work/out/cases.csv"
buildah images localhost/ctvol:cpu
echo "== done"
