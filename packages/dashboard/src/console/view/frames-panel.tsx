import { type ReactNode, useMemo, useState } from 'react'
import { frozen, useUnlessFrozen } from '../../app/freeze.js'
import { Panel } from '../../app/panel.js'
import { useWords, type Words } from '../../app/preferences.js'
import { useStore } from '../../app/store.js'
import { MOST_ROWS, type Row } from '../log/row-log.js'
import type { Session } from '../wire/session.js'
import { FileButtons, type Opened } from './file-buttons.js'
import { FrameDetail } from './frame-detail.js'
import { FrameFilter, filtered, NO_FILTER } from './frame-filter.js'
import { FrameList } from './frame-list.js'

const words = {
  en: {
    title: 'Frames',
    pause: 'Pause',
    paused: 'Paused',
    clear: 'Clear',
    empty: 'What goes over the wire stands here, both ways.',
    none: 'No frame fits the filter.',
    file: 'You look at a file:',
    live: 'Back to the connection',
    messages: 'messages',
    gaps: 'gaps',
    duplicates: 'duplicates',
    resets: 'resets',
    newest: 'the newest'
  },
  ko: {
    title: '프레임',
    pause: '일시 정지',
    paused: '정지됨',
    clear: '지우기',
    empty: '주고받는 프레임이 여기에 표시됩니다.',
    none: '조건에 맞는 프레임이 없습니다.',
    file: '파일을 보고 있습니다:',
    live: '연결로 돌아가기',
    messages: '메시지',
    gaps: '누락',
    duplicates: '중복',
    resets: '재설정',
    newest: '최신'
  }
} satisfies Words<Record<string, string>>

/** What went over the wire: of the connection, or of a file. */
export function FramesPanel ({ session }: { readonly session: Session }): ReactNode {
  const text = useWords(words)
  const [opened, setOpened] = useState<Opened>()
  const log = opened?.log ?? session.log
  const isPaused = useStore(frozen)
  const { rows, total } = useUnlessFrozen(useStore(log.store))
  const [filter, setFilter] = useState(NO_FILTER)
  const [selected, setSelected] = useState<Row>()
  const shown = useMemo(() => filtered(rows, filter), [rows, filter])
  const open = (file: Opened | undefined): void => {
    // Another list is shown at once.
    frozen.set(false)
    setOpened(file)
    setSelected(undefined)
    setFilter(NO_FILTER)
  }
  return (
    <Panel
      name='frames' title={text.title}
      tools={
        <>
          <FrameFilter rows={rows} filter={filter} onFilter={setFilter} />
          <button type='button' aria-pressed={isPaused} data-pause onClick={() => { frozen.set(!isPaused) }}>
            {isPaused ? text.paused : text.pause}
          </button>
          <button
            type='button' data-clear disabled={opened !== undefined}
            onClick={() => {
              frozen.set(false)
              session.log.clear()
              setSelected(undefined)
            }}
          >
            {text.clear}
          </button>
          <FileButtons session={session} onOpen={open} />
        </>
      }
    >
      <div className='frames-body'>
        {opened !== undefined && (
          <p className='opened' data-opened={opened.name}>
            {text.file} <strong>{opened.name}</strong> <span className='faint'>{opened.server}</span>
            <button type='button' data-live onClick={() => { open(undefined) }}>
              {text.live}
            </button>
          </p>
        )}
        <p
          className='counts' data-counts data-new={total.new + total.snapshot} data-gap={total.gap}
          data-duplicate={total.duplicate} data-reset={total.reset}
        >
          {(total.new + total.snapshot).toLocaleString('en')} {text.messages} · {total.gap} {text.gaps}
          {' · '}{total.duplicate} {text.duplicates} · {total.reset} {text.resets}
          {rows.length >= MOST_ROWS && ` · ${text.newest} ${MOST_ROWS.toLocaleString('en')}`}
        </p>
        <div className='frames-and-detail'>
          {shown.length === 0
            ? <p className='empty'>{rows.length === 0 ? text.empty : text.none}</p>
            : <FrameList rows={shown} selected={selected?.id} onSelect={setSelected} />}
          {selected !== undefined &&
            <FrameDetail row={selected} onClose={() => { setSelected(undefined) }} />}
        </div>
      </div>
    </Panel>
  )
}
