#!/usr/bin/env bash
# Can a larger student hold what D knows, if it learns from many samples that D has chosen?
#   examples/trials/larger_student.sh CHECKPOINT DATA DEST
# CHECKPOINT has G and its D. A student of three times G's units is trained by maximum likelihood on
# the training split alone ("real"), on it and samples of G ("plain"), and on it and as many samples
# that D has chosen among 16 ("guided"). The valid split chooses the epoch. The last lines are the
# NLL of each on the test split, in nats per token; plain is the control of guided.
# The same command continues what was interrupted. PYTHON is the interpreter; default: the
# repository's .venv. SAMPLES (50000), EPOCHS (40 at most), SEED (1) and STUDENT (further options of
# fairseq-train) change the trial.
set -euo pipefail
[ $# = 3 ] || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
checkpoint=$1 data=$2 dest=$3
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
default="$root/.venv/bin/python"
[ -x "$default" ] || default=python3
bin="$(dirname "$(command -v "${PYTHON:-$default}")")"
task=(--user-dir "$root/fairseq_seqgan" --task seqgan --seed "${SEED:-1}")
student=(--arch lstm_lm --decoder-embed-dim 64 --decoder-hidden-size 384 --decoder-out-embed-dim 128
    --dropout 0.3 --fixed-length 32 --tokens-per-sample 33)
read -ra changes <<< "${STUDENT:-}"
mkdir -p "$dest"
trap 'echo "error: a command failed; what it said is in $dest" >&2' ERR

for kind in real plain guided; do
    folder="$dest/$kind"
    if [ ! -f "$folder/data/train.idx" ]; then
        mkdir -p "$folder"
        half="$(mktemp -d "$folder/half.XXXXXX")"
        cp "$data"/{valid,test}.{bin,idx} "$half"
        cp "$data/train.txt" "$half/text"
        if [ "$kind" != real ]; then
            guide=1
            [ "$kind" = plain ] || guide=16
            "$bin/fairseq-generate" "$data" "${task[@]}" --path "$checkpoint" --sampling \
                --guide "$guide" --num-samples "${SAMPLES:-50000}" --batch-size 500 \
                > "$folder/generate.txt" 2> "$folder/generate.log"
            grep '^H-' "$folder/generate.txt" | cut -f 3 >> "$half/text"
        fi
        "$bin/fairseq-preprocess" --only-source --srcdict "$data/dict.txt" \
            --trainpref "$half/text" --destdir "$half" > "$folder/preprocess.log" 2>&1
        mv "$half" "$folder/data"
    fi
    "$bin/fairseq-train" "$folder/data" "${task[@]}" "${student[@]}" "${changes[@]}" --batch-size 64 \
        --optimizer adam --lr 0.003 --clip-norm 5 --max-epoch "${EPOCHS:-40}" --patience 5 \
        --lr-scheduler reduce_lr_on_plateau --lr-patience 1 --lr-shrink 0.5 --lr-threshold 0 \
        --best-checkpoint-metric nll --num-workers 0 --log-format simple --no-epoch-checkpoints \
        --save-dir "$folder/checkpoints" >> "$folder/train.log" 2>&1
done

for kind in real plain guided; do
    found="$("$bin/fairseq-validate" "$data" "${task[@]}" --valid-subset test --batch-size 256 \
        --path "$dest/$kind/checkpoints/checkpoint_best.pt" 2>&1 | grep -o 'nll [0-9.]*')"
    echo "student, $kind: $found"
done
