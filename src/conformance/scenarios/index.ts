import type { Scenario } from '../scenario.js'
import { cursorScenarios } from './cursors.js'
import { cutScenarios } from './cuts.js'
import { epochScenarios } from './epochs.js'
import { eventStreamScenarios } from './event-streams.js'
import { fallbackScenarios } from './fallback.js'
import { frameScenarios } from './frames.js'
import { lifeScenarios } from './life.js'
import { optionScenarios } from './options.js'
import { refusalScenarios } from './refusals.js'
import { resetScenarios } from './resets.js'
import { ruleScenarios } from './rule.js'
import { tokenScenarios } from './tokens.js'

/** All scenarios, in the order in which a client is best built. */
export const scenarios: readonly Scenario[] = [
  ...ruleScenarios, ...resetScenarios, ...optionScenarios, ...frameScenarios, ...eventStreamScenarios,
  ...cutScenarios, ...cursorScenarios, ...epochScenarios, ...refusalScenarios, ...tokenScenarios,
  ...lifeScenarios, ...fallbackScenarios
]
