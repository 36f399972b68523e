import type { ReactNode } from 'react'
import { useWords, type Words } from '../../app/preferences.js'
import type { Fault } from '../schema/check.js'

type Say = (path: string, detail: string) => string
const hint = (detail: string, words: string): string => detail === '' ? '' : ` (${words} ${detail})`

const words = {
  en: {
    fits: 'Fits the schema of the server.',
    more: 'more',
    json: (_path, detail) => `Not JSON yet: ${detail}`,
    action: (_path, detail) => `There is no such action. There are: ${detail}`,
    channel: (_path, detail) => `There is no such channel${hint(detail, 'perhaps')}`,
    missing: (path, detail) => `${path} is missing${hint(detail, 'it is')}`,
    unknown: (path, detail) => `${path} is no field of this${hint(detail, 'perhaps')}`,
    wrong: (path, detail) => `${path} must be: ${detail}`,
    symbols: (_path, detail) => `symbols are missing: ${detail} has topics by symbol`,
    no_symbols: (_path, detail) => `${detail} has no symbols: leave them out`
  },
  ko: {
    fits: '서버 스키마에 맞습니다.',
    more: '개 더',
    json: (_path, detail) => `아직 JSON이 아닙니다: ${detail}`,
    action: (_path, detail) => `없는 동작입니다. 가능한 동작: ${detail}`,
    channel: (_path, detail) => `없는 채널입니다${hint(detail, '혹시')}`,
    missing: (path, detail) => `${path} 필드가 없습니다${hint(detail, '형식:')}`,
    unknown: (path, detail) => `${path} 는 없는 필드입니다${hint(detail, '혹시')}`,
    wrong: (path, detail) => `${path} 값이 잘못되었습니다: ${detail}`,
    symbols: (_path, detail) => `symbols 가 없습니다: ${detail} 에는 종목이 필요합니다`,
    no_symbols: (_path, detail) => `${detail} 에는 종목이 없습니다. symbols 를 빼십시오`
  }
} satisfies Words<Record<'fits' | 'more', string> & Record<Fault['kind'], Say>>

/** Says while somebody writes whether the message fits. */
export function FaultLine ({ id, faults }: {
  readonly id: string
  readonly faults: readonly Fault[]
}): ReactNode {
  const text = useWords(words)
  const [first] = faults
  const more = faults.length > 1 ? ` · +${faults.length - 1} ${text.more}` : ''
  return (
    <p
      id={id} role='status' data-faults={faults.length}
      className={first === undefined ? 'fault good' : 'fault problem'}
    >
      {first === undefined ? `✓ ${text.fits}` : `✗ ${text[first.kind](first.path, first.detail)}${more}`}
    </p>
  )
}
