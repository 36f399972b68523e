import type { ReactNode } from 'react'
import type { AlertRule } from '@tickwire/protocol'
import { useAction } from '@tickwire/client/react'
import { useIsStale } from '../../app/connection.js'
import { formatTime, groupDigits } from '../../app/format.js'
import { useUnlessFrozen } from '../../app/freeze.js'
import { Panel } from '../../app/panel.js'
import { useWords } from '../../app/preferences.js'
import { useActions } from '../actions.js'
import { wordsOf } from '../../app/ask.js'
import { useLoginNeeded } from '../needs-login.js'
import { useSelected } from '../selection.js'
import { type AlertText, alertWords } from './alert-words.js'
import { RuleForm } from './rule-form.js'
import { useRules } from './rules.js'
import { type Triggered, useAlerts } from './triggered.js'
import '../private.css'
import './alerts.css'

/** How many alerts are shown: a person reads no more at once. */
const MOST_SHOWN = 200

/** What the user wants to be alerted of, and the alerts that have come and wait. */
export function AlertsPanel (): ReactNode {
  const text = useWords(alertWords)
  const needed = useLoginNeeded()
  if (needed !== undefined) return <Panel name='alerts' title={text.title} empty={needed} />
  return <Alerts />
}

function Alerts (): ReactNode {
  const text = useWords(alertWords)
  const selected = useSelected()
  const isStale = useIsStale()
  const { open, acknowledge } = useAlerts()
  const { rules, problem, read } = useRules(isStale)
  return (
    <Panel name='alerts' title={text.title} isStale={isStale}>
      <div className='alerts'>
        <Waiting open={open} acknowledge={acknowledge} />
        {selected !== undefined && <RuleForm symbol={selected} onMade={read} />}
        {problem !== undefined && <p role='alert' className='problem'>{problem}</p>}
        {rules !== undefined && <Rules rules={rules} onDeleted={read} />}
      </div>
    </Panel>
  )
}

function Waiting ({ open, acknowledge }: {
  readonly open: readonly Triggered[]
  readonly acknowledge: (alert: Triggered) => Promise<void>
}): ReactNode {
  const text = useWords(alertWords)
  const waiting = useUnlessFrozen(open)
  const newestFirst = waiting.slice(-MOST_SHOWN).reverse()
  const [send, { pending, error }] = useAction(acknowledge)
  const last = waiting.at(-1)
  return (
    <section aria-label={text.triggered} className='waiting'>
      <div className='waiting-head'>
        <h3>{text.triggered}</h3>
        {last !== undefined && (
          <button
            type='button' data-acknowledge-all aria-disabled={pending} onClick={() => { void send(last) }}
          >
            {text.acknowledgeAll}
          </button>
        )}
      </div>
      {error !== undefined && <p role='alert' className='problem'>{wordsOf(error)}</p>}
      {last === undefined && <p className='empty'>{text.none}</p>}
      <ul>
        {newestFirst.map(alert => (
          <li key={alert.data.alert_id} data-alert={alert.data.alert_id}>
            <span className='faint'>{formatTime(alert.data.triggered_at)}</span>
            <span className='message'>{alert.data.message}</span>
            <button
              type='button' data-acknowledge aria-label={text.acknowledgeOf(alert.data.message)}
              aria-disabled={pending} onClick={() => { void send(alert) }}
            >
              {text.acknowledge}
            </button>
          </li>
        ))}
      </ul>
      {waiting.length > MOST_SHOWN && <p className='faint'>{text.older(waiting.length - MOST_SHOWN)}</p>}
    </section>
  )
}

/** Says a rule in words. */
function sentenceOf (rule: AlertRule, text: AlertText): string {
  const { type, of, within, interval, above, below } = rule
  const what = [text[type], of === undefined ? undefined : text[of], within, interval]
  const level = `${groupDigits(above ?? below)}${type === 'percent' ? ' %' : ''}`
  const named = what.filter(part => part !== undefined).join(', ')
  return `${rule.symbol}: ${named} ${above === undefined ? text.below : text.above} ${level}`
}

function Rules ({ rules, onDeleted }: {
  readonly rules: readonly AlertRule[]
  readonly onDeleted: () => Promise<void>
}): ReactNode {
  const text = useWords(alertWords)
  const actions = useActions()
  const [remove, { error }] = useAction(async (ruleId: string) => {
    await actions.deleteAlert(ruleId)
    await onDeleted()
  })
  return (
    <section aria-label={text.rules} className='rules'>
      <h3>{text.rules}</h3>
      {error !== undefined && <p role='alert' className='problem'>{wordsOf(error)}</p>}
      {rules.length === 0 && <p className='empty'>{text.noRules}</p>}
      <ul>
        {rules.map(rule => {
          const sentence = sentenceOf(rule, text)
          return (
            <li key={rule.rule_id} data-rule={rule.rule_id}>
              <span className='message'>
                {sentence}{rule.note === undefined ? '' : ` · ${rule.note}`}
                {rule.expires_at !== undefined && (
                  <span className='faint'>
                    {' '}· {text.expires} {new Date(rule.expires_at).toLocaleString()}
                  </span>
                )}
              </span>
              <button
                type='button' className='danger' data-delete aria-label={text.deleteOf(sentence)}
                onClick={() => { void remove(rule.rule_id) }}
              >
                {text.delete}
              </button>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
