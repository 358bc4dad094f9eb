// One row of drafting: the text so far, its positions in its sources, and the choices of its last draft. As
// plain/row.py.
#pragma once
#include "tree.hpp"

namespace ngramspec {

constexpr double STEP = 0.1;

class Row {
  public:
    // All of them must outlive the row. vocabulary: nullptr if it is unknown.
    Row(Survival& survival, const SharedIndex& history, const TokenBytes* vocabulary)
        : history_(history),
          survival_(survival),
          own_(index_),
          past_(history.index),
          spelled_(vocabulary ? std::make_optional<SpelledIndex>(index_, *vocabulary) : std::nullopt),
          chain_(own_, past_, survival, spelled_ ? &*spelled_ : nullptr),
          branches_(index_, history.index, survival.mixer) {}
    Row(const Row&) = delete;

    void refer(const int32_t* reference, size_t count) { index_.extend(reference, count); }

    void begin(const int32_t* prompt, size_t count, int likely_start) {
        index_.extend(prompt, count);
        past_.copy.start = likely_start;
    }

    // likely: the model's likeliest tokens where it chose `tokens`, or nullptr.
    void extend(const int32_t* tokens, size_t size, const int32_t* likely) {
        int before = index_.size(), count = int(size);
        index_.extend(tokens, size);
        if (likely) index_.note(before - 1, likely, size);
        learn(tokens, count);
        branches_.learn(tokens, count);
        own_.follow(tokens, count, before);
        SharedIndex::Reading reading = history_.reading();
        past_.follow(tokens, count, history_.index.size());
        answer_.insert(answer_.end(), tokens, tokens + count);
    }

    void propose(int max_tokens, double min_survival) {
        SharedIndex::Reading reading = history_.reading();
        if (draft_blindly(max_tokens, min_survival)) branches_.grow_path(answer_, chain_, max_tokens, min_survival);
    }
    // Drafts a tree around the chain.
    void propose_tree(int max_nodes, double min_survival) {
        SharedIndex::Reading reading = history_.reading();
        if (draft_blindly(max_nodes, min_survival)) branches_.grow(answer_, chain_, max_nodes, min_survival, false);
    }
    // Drafts within a `Steering` in Python, given by its methods. branches: a tree around the chain.
    void steer(int max_tokens, double min_survival, PyObject* foreseen, PyObject* forced, PyObject* push,
               bool branches) {
        SharedIndex::Reading reading = history_.reading();
        PythonSteering steering(foreseen, forced, push, reading);
        is_chain_ = !branches;
        max_tokens_ = max_tokens;
        draft(max_tokens, min_survival, steering);
        if (branches && max_tokens > 0) branches_.grow(answer_, chain_, max_tokens, min_survival, true);
    }

    // The last draft. parents: not for a steered chain. is_unsure: a lower `min_survival` would have given more tokens.
    int size() const { return int(is_chain_ ? chain_.survivals.size() : branches_.survivals.size()); }
    const int32_t* tokens() const { return is_chain_ ? chain_.choices.data() : branches_.tokens.data(); }
    const double* survivals() const { return is_chain_ ? chain_.survivals.data() : branches_.survivals.data(); }
    const int32_t* parents() const { return branches_.parents.data(); }
    bool is_unsure() const {
        return is_chain_ ? size() < std::min(int(chain_.choices.size()), max_tokens_) : branches_.is_unsure;
    }

    // The tokens committed since the prompt, after a SEPARATOR.
    const std::vector<int32_t>& answer() const { return answer_; }

    size_t nbytes() const { return index_.nbytes() + (spelled_ ? spelled_->nbytes() : 0); }

  private:
    friend class RowsInUse;

    // Lets the chain draft, blindly; returns whether a draft is wanted at all.
    bool draft_blindly(int max_tokens, double min_survival) {
        Unsteered unsteered;
        is_chain_ = false;
        draft(max_tokens, min_survival, unsteered);
        return max_tokens > 0;
    }

    template <class Steering>
    void draft(int max_tokens, double min_survival, Steering& steering) {
        branches_.forget();
        if (max_tokens <= 0) return chain_.forget();
        recent_ = recent_index(share_foreseen_);
        chain_.draft(answer_, recent_, max_tokens, min_survival, steering);
    }

    void learn(const int32_t* committed, int count) {
        int num_right = 0;
        for (; num_right < std::min(int(chain_.choices.size()), count); num_right++) {
            if (chain_.choices[num_right] != committed[num_right]) {
                share_foreseen_ -= STEP * share_foreseen_;
                break;
            }
            share_foreseen_ += STEP * (1 - share_foreseen_);
        }
        survival_.learn(chain_.lessons, committed, std::min(num_right + 1, count), recent_);
        chain_.forget();
    }

    const SharedIndex& history_;
    Survival& survival_;
    SuffixIndex index_;
    Source own_, past_;
    std::optional<SpelledIndex> spelled_;
    Chain chain_;
    Branches branches_;
    std::vector<int32_t> answer_{SEPARATOR};
    double share_foreseen_ = 0.5;
    int recent_ = recent_index(0.5), max_tokens_ = 0;
    bool is_used_ = false, is_chain_ = false;
};

// The rows that a call uses, as long as this lives. Another call, from another thread or from a grammar in the
// meantime, is refused.
class RowsInUse {
  public:
    RowsInUse() = default;
    RowsInUse(const RowsInUse&) = delete;
    ~RowsInUse() {
        for (Row* row : rows_) row->is_used_ = false;
    }
    void add(Row* row) {
        if (row->is_used_)
            throw std::runtime_error(
                "a row must be used by one call at a time, got another: open a session for each row");
        rows_.push_back(row);
        row->is_used_ = true;
    }
    // Drafts for all rows, one after another.
    void propose(const std::vector<int>& max_tokens, double min_survival) {
        for (size_t i = 0; i < rows_.size(); i++) rows_[i]->propose(max_tokens[i], min_survival);
    }
    void propose_trees(const std::vector<int>& max_nodes, double min_survival) {
        for (size_t i = 0; i < rows_.size(); i++) rows_[i]->propose_tree(max_nodes[i], min_survival);
    }

  private:
    std::vector<Row*> rows_;
};

}  // namespace ngramspec
