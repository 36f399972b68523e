import { type ReactNode, useCallback, useState } from 'react'
import { Canvas } from '../../app/canvas.js'
import type { ColorOf } from '../../app/colors.js'
import { useIsStale } from '../../app/connection.js'
import { useUnlessFrozen } from '../../app/freeze.js'
import { Panel } from '../../app/panel.js'
import { useWords, type Words } from '../../app/preferences.js'
import { useSelected } from '../selection.js'
import { type HeatmapChannel, useColumns } from './columns.js'
import { drawHeatmap } from './picture.js'

const words = {
  en: {
    title: 'Heatmap',
    empty: 'Nothing is known of this symbol yet; a heatmap comes every five seconds.',
    heatmap: 'Liquidations',
    'heatmap.book': 'Resting orders',
    label: 'How much lies at which price over time; the line is the price'
  },
  ko: {
    title: '히트맵',
    empty: '이 종목의 데이터가 아직 없습니다. 히트맵은 5초마다 갱신됩니다.',
    heatmap: '청산',
    'heatmap.book': '대기 주문',
    label: '가격별 물량의 시간 변화. 선은 현재가입니다'
  }
} satisfies Words<Record<string, string>>

const CHANNELS: readonly HeatmapChannel[] = ['heatmap', 'heatmap.book']

/** How much lies at which price, over time. */
export function HeatmapPanel (): ReactNode {
  const text = useWords(words)
  const selected = useSelected()
  const [channel, setChannel] = useState<HeatmapChannel>('heatmap')
  const tools = CHANNELS.map(one => (
    <button key={one} type='button' aria-pressed={one === channel} onClick={() => { setChannel(one) }}>
      {text[one]}
    </button>
  ))
  if (selected === undefined) {
    return <Panel name='heatmap' title={text.title} empty={text.empty} tools={tools} />
  }
  return <Picture key={`${channel} ${selected}`} channel={channel} symbol={selected} tools={tools} />
}

function Picture ({ channel, symbol, tools }: {
  readonly channel: HeatmapChannel
  readonly symbol: string
  readonly tools: ReactNode
}): ReactNode {
  const text = useWords(words)
  const isStale = useIsStale()
  const columns = useUnlessFrozen(useColumns(channel, symbol))
  const draw = useCallback((
    context: CanvasRenderingContext2D, width: number, height: number, color: ColorOf
  ) => { drawHeatmap(columns, context, width, height, color) }, [columns])
  const empty = columns.length === 0 ? text.empty : undefined
  return (
    <Panel name='heatmap' title={text.title} empty={empty} isStale={isStale} tools={tools}>
      <div data-columns={columns.length} data-newest={columns.at(-1)?.sequence}>
        <Canvas draw={draw} label={text.label} />
      </div>
    </Panel>
  )
}
