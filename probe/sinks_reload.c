/* SPDX-License-Identifier: BSD-2-Clause */
/* Exporters that come, go and change. See sinks_reload.h. */
#include "probe/sinks_reload.h"

#include <string.h>

#include "probe/config_complain.h"

static bool is_fresh(const struct reload_plan *plan, size_t i)
{
	return plan->exporter[i].action == RELOAD_ADD || plan->exporter[i].action == RELOAD_CHANGE;
}

/* True of one that leaves, now or since an earlier reload. */
static bool is_any_leaving(const struct sinks *s, const struct reload_plan *plan,
			   const struct exporter_config *cfg, leaving_test_fn is)
{
	for (size_t k = 0; k < s->n_exporters; k++)
		if (plan->leaves[k] && is(exporter_config(s->exporter[k]), cfg))
			return true;
	return leaving_any(&s->leaving, cfg, is);
}

/* Those that stay of the failover group that exporter number k is in. */
static uint32_t heirs_of(const struct sinks *s, size_t k, const struct config *next,
			 const struct reload_plan *plan)
{
	uint32_t heirs = 0;

	for (size_t i = 0; i < next->n_exporters; i++)
		if (!is_fresh(plan, i) && s->share[k] &&
		    s->share[plan->exporter[i].old] == s->share[k] &&
		    s->group[s->share[k] - 1].cfg->mode == MODE_FAILOVER)
			heirs |= 1u << i;
	return heirs;
}

/* What waits for another one to leave is not begun, but its spool, if that is free. */
static int begin_one(const struct sinks *s, const struct reload_plan *plan, struct exporter *e,
		     bool waits)
{
	if (!waits)
		return exporter_begin(e);
	if (is_any_leaving(s, plan, exporter_config(e), leaving_holds_spool))
		return 0;
	return exporter_begin_spool(e);
}

static int begin_all(const struct sinks *s, const struct reload_plan *plan,
		     struct sinks_fresh *fresh, const struct config *next)
{
	int err = 0;

	for (size_t i = 0; i < next->n_exporters && !err; i++)
		if (fresh->exporter[i]) {
			err = begin_one(s, plan, fresh->exporter[i], fresh->waits[i]);
			config_complain_unusable(next, i, err);
		}
	return err;
}

int sinks_reload_prepare(struct sinks *s, const struct config *next, const struct reload_plan *plan,
			 struct sinks_fresh *fresh)
{
	int err = 0;

	*fresh = (struct sinks_fresh){0};
	for (size_t k = 0; k < s->n_exporters; k++)
		fresh->heirs[k] = heirs_of(s, k, next, plan);
	for (size_t i = 0; i < next->n_exporters && !err; i++) {
		const struct exporter_config *cfg = &next->exporters[i];

		if (!is_fresh(plan, i))
			continue;
		err = exporter_prepare(&fresh->exporter[i], cfg, next->observation_domain_id,
				       next->enterprise_number, s->is_paced);
		if (err)
			break;
		exporter_set_facts(fresh->exporter[i], &s->facts);
		fresh->waits[i] = is_any_leaving(s, plan, cfg, leaving_is_in_the_way);
	}
	if (!err && sinks_print_only_events(next) && !s->has_output) {
		err = sinks_open_events(&fresh->output);
		fresh->has_output = !err;
	}
	if (!err)
		err = begin_all(s, plan, fresh, next);
	if (err)
		sinks_reload_abandon(fresh);
	return err;
}

void sinks_reload_abandon(struct sinks_fresh *fresh)
{
	for (size_t i = 0; i < CONFIG_MAX_EXPORTERS; i++)
		exporter_close(fresh->exporter[i]);
	if (fresh->has_output)
		output_close(&fresh->output);
	*fresh = (struct sinks_fresh){0};
}

/* What does not balance now is not forgotten. */
static void check_so_far(struct sinks *s, const struct exporter_volume *exported)
{
	static struct ledger ledger;

	memset(&ledger, 0, sizeof(ledger));
	ledger.exported = *exported;
	sinks_ledger(s, &ledger);
	s->was_unbalanced = !ledger_exporters_are_balanced(&ledger);
}

/* What waits for a Collector that is away is for others of its failover group to send. */
static void hand_over(struct exporter *e, uint32_t heirs, struct exporter *const *next)
{
	struct exporter *heir = NULL;

	for (; heirs && exporter_is_away(e); heirs &= heirs - 1) {
		struct exporter *one = next[__builtin_ctz(heirs)];

		if (!heir || (exporter_is_away(heir) && !exporter_is_away(one)))
			heir = one;
	}
	if (heir)
		exporter_hand_over(e, heir);
}

static void count_from_here(struct sinks *s, const struct exporter_volume *exported)
{
	s->exported_before = *exported;
	for (size_t i = 0; i < s->n_exporters; i++) {
		s->accepted_before[i] = exporter_stats(s->exporter[i])->accepted;
		s->moved_before[i] = exporter_stats(s->exporter[i])->moved;
	}
}

/* What is printed stays as it was, but for events: those, while no exporter takes them. */
static void change_output(struct sinks *s, const struct config *cfg, struct sinks_fresh *fresh)
{
	if (fresh->has_output) {
		s->output = fresh->output;
		s->has_output = s->is_for_events = true;
	} else if (s->is_for_events && !sinks_print_only_events(cfg)) {
		output_close(&s->output);
		s->has_output = s->is_for_events = false;
	}
	if (s->has_output && !s->is_for_events)
		s->output.groups = sinks_output_groups(cfg);
}

void sinks_reload_commit(struct sinks *s, const struct config *cfg, const struct reload_plan *plan,
			 struct sinks_fresh *fresh, const struct sinks_moment *at)
{
	struct exporter *next[CONFIG_MAX_EXPORTERS] = {0};
	bool waits[CONFIG_MAX_EXPORTERS] = {0};

	check_so_far(s, &at->exported);
	for (size_t i = 0; i < cfg->n_exporters; i++) {
		size_t old = plan->exporter[i].old;

		next[i] = is_fresh(plan, i) ? fresh->exporter[i] : s->exporter[old];
		waits[i] = is_fresh(plan, i) ? fresh->waits[i] : s->waits[old];
		if (plan->exporter[i].action == RELOAD_ADJUST)
			exporter_adjust(next[i], &cfg->exporters[i]);
		else if (is_fresh(plan, i) && !waits[i])
			leaving_hand_spool(&s->leaving, next[i]);
	}
	for (size_t k = 0; k < s->n_exporters; k++) {
		if (!plan->leaves[k])
			continue;
		hand_over(s->exporter[k], fresh->heirs[k], next);
		leaving_add(&s->leaving, s->exporter[k], s->waits[k], at->now_ns, at->time_s,
			    at->interval_ns);
	}
	memcpy(s->exporter, next, sizeof(next));
	memcpy(s->waits, waits, sizeof(waits));
	s->n_exporters = cfg->n_exporters;
	sinks_form_groups(s, cfg);
	count_from_here(s, &at->exported);
	change_output(s, cfg, fresh);
	*fresh = (struct sinks_fresh){0};
}
