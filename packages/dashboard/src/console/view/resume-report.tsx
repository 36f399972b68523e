import type { ReactNode } from 'react'
import { useWords, type Words } from '../../app/preferences.js'
import { useStore } from '../../app/store.js'
import type { Session } from '../wire/session.js'

const words = {
  en: {
    since: 'Since the connection was resumed',
    whole: 'Nothing is missing.',
    reset: 'Messages were lost, and the server said so with reset.',
    gap: 'Messages are missing, and the server did not say so.',
    messages: 'messages',
    gaps: 'gaps',
    duplicates: 'duplicates',
    resets: 'resets'
  },
  ko: {
    since: '이어받은 뒤',
    whole: '빠진 메시지가 없습니다.',
    reset: '유실된 메시지가 있으며 서버가 reset 으로 알렸습니다.',
    gap: '서버가 알리지 않은 채 빠진 메시지가 있습니다.',
    messages: '메시지',
    gaps: '누락',
    duplicates: '중복',
    resets: '재설정'
  }
} satisfies Words<Record<string, string>>

const FIGURES = ['messages', 'gaps', 'duplicates', 'resets'] as const

/** Says after a resume whether something is missing. */
export function ResumeReport ({ session }: { readonly session: Session }): ReactNode {
  const text = useWords(words)
  const { here, resumed } = useStore(session.log.store)
  const heard = Object.values(here).reduce((sum, count) => sum + count, 0)
  if (!resumed || heard === 0) return null
  const verdict = here.gap > 0 ? 'gap' : here.reset > 0 ? 'reset' : 'whole'
  const figures = {
    messages: here.new + here.snapshot, gaps: here.gap, duplicates: here.duplicate, resets: here.reset
  }
  return (
    <section
      className='resume-report' data-resume-report={verdict} data-gaps={here.gap}
      data-messages={figures.messages} aria-label={text.since}
    >
      <p>
        {text.since}:{' '}
        <strong className={verdict === 'whole' ? 'good' : 'problem'}>{text[verdict]}</strong>
      </p>
      <p className='faint'>
        {FIGURES.map(name => `${figures[name].toLocaleString('en')} ${text[name]}`).join(' · ')}
      </p>
    </section>
  )
}
