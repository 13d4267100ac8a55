#!/usr/bin/env bash
# Does D know more if its positives are sequences that G was not trained on?
#   examples/trials/cross_fitting.sh DATA DEST
# DATA is a folder of tunes (out/data of examples/nottingham). Three pairs of discriminators, all
# worth something only as a correction of one G, which is trained on the whole training split:
#   all     two seeds, on all positives and that G's samples
#   halves  each on one half of the positives and that G's samples
#   cross   each on one half of the positives and the samples of a G of the other half
# The last lines are each net's gain and that of the pair's mean log-odds on the valid split, in nats
# per sequence; that split also chose the pool after which each net was kept. halves is the control of
# cross: as few positives, but G has seen them.
# The same command continues what was interrupted. PYTHON is the interpreter; default: the
# repository's .venv. SAMPLES (20000) is how many sequences of G the gain is estimated with; G and D
# hold further options of fairseq-train.
set -Eeuo pipefail
[ $# = 2 ] || { sed -n '2,3s/^# *//p' "$0" >&2; exit 2; }
data=$1 dest=$2
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
default="$root/.venv/bin/python"
[ -x "$default" ] || default=python3
bin="$(dirname "$(command -v "${PYTHON:-$default}")")"
read -ra of_g <<< "${G:-}"
read -ra of_d <<< "${D:-}"
both=(--user-dir "$root/fairseq_seqgan" --task seqgan --arch lstm_lm --decoder-embed-dim 64
    --decoder-hidden-size 128 --decoder-out-embed-dim 128 --dropout 0.3 --fixed-length 32
    --tokens-per-sample 33 --num-workers 0 --log-format json --no-epoch-checkpoints
    --update-epoch-batch-itr True "${of_g[@]}")
mkdir -p "$dest"
trap 'echo "error: a command failed; what it said is in $dest" >&2' ERR

# generator NAME DATA: trained by maximum likelihood
generator() {
    "$bin/fairseq-train" "$2" "${both[@]}" --seed 1 --optimizer adam --lr 0.003 --clip-norm 5 \
        --batch-size 64 --max-epoch 60 --patience 8 --lr-scheduler reduce_lr_on_plateau \
        --lr-patience 1 --lr-shrink 0.5 --lr-threshold 0 --save-dir "$dest/g-$1" \
        >> "$dest/g-$1.log" 2>&1
}

# discriminator NAME DATA G SEED: of DATA's training split and the samples of G, which stays as it is
discriminator() {
    "$bin/fairseq-train" "$2" "${both[@]}" --seed "$4" --criterion seqgan --optimizer seqgan_adam \
        --lr 0 --batch-size 2 --batch-size-valid 256 --num-eval-samples 1000 --rounds 1 --g-steps 1 \
        --rollouts 0 --d-steps 0 --d-embed-dim 32 \
        --d-kernel-widths 1,2,3,4,5,6,8,10,12,16,20,26,32 \
        --d-kernel-counts 40,40,40,40,40,40,40,40,40,40,40,40,40 --d-dropout 0.5 \
        --discriminator-lr 0.0005 --discriminator-weight-decay 0.3 --k 1 --pretrain-d-steps 60 \
        --pretrain-d-keep best --pretrain-d-select gain --pretrain-d-patience 10 "${of_d[@]}" \
        --finetune-from-model "$dest/g-$3/checkpoint_best.pt" --save-dir "$dest/$1" \
        >> "$dest/$1.log" 2>&1
}

for half in 1 2; do
    if [ ! -f "$dest/half-$half/train.idx" ]; then
        part="$(mktemp -d "$dest/part.XXXXXX")"
        awk -v half="$half" 'NR % 2 == half % 2' "$data/train.txt" > "$part/text"
        cp "$data"/{valid,test}.{bin,idx} "$part"
        "$bin/fairseq-preprocess" --only-source --srcdict "$data/dict.txt" \
            --trainpref "$part/text" --destdir "$part" > "$dest/preprocess-$half.log" 2>&1
        mv "$part" "$dest/half-$half"
    fi
    generator "half-$half" "$dest/half-$half"
done
generator all "$data"
for half in 1 2; do
    discriminator "all-$half" "$data" all "$half"
    discriminator "halves-$half" "$dest/half-$half" all "$half"
    discriminator "cross-$half" "$dest/half-$half" "half-$((3 - half))" "$half"
done
"$(command -v "${PYTHON:-$default}")" "$root/examples/trials/mean_log_odds.py" \
    --samples "${SAMPLES:-20000}" "$dest/g-all/checkpoint_best.pt" "$data" \
    "$dest"/{all,halves,cross}-{1,2}/checkpoint_last.pt
