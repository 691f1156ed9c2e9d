import { type ECharts, type EChartsCoreOption, init } from 'echarts/core'
import { type WatchSource, onBeforeUnmount, onMounted, watch } from 'vue'

/** What charts are drawn with: the page's own colours and font, as they are when it is drawn. */
export interface Paint {
  colour: (property: string) => string
  /** What every chart has alike. */
  base: { animation: boolean; animationDuration: number; textStyle: { fontFamily: string }; grid: object; tooltip: object; axisLine: object; splitLine: object; label: object; faint: object }
}

function paint(): Paint {
  const colour = (property: string): string => getComputedStyle(document.documentElement).getPropertyValue(property).trim()
  return {
    colour,
    base: {
      animation: !window.matchMedia('(prefers-reduced-motion: reduce)').matches,
      animationDuration: 300,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { left: 4, right: 4, top: 8, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
      tooltip: {
        trigger: 'axis',
        // Drawn, not written as HTML: the policy of the page allows no style attributes.
        renderMode: 'richText',
        backgroundColor: colour('--raised'),
        borderColor: colour('--line'),
        textStyle: { color: colour('--text'), fontSize: 12 },
      },
      axisLine: { lineStyle: { color: colour('--line') } },
      splitLine: { lineStyle: { color: colour('--line') } },
      label: { color: colour('--text-soft'), fontSize: 12 },
      faint: { color: colour('--text-faint'), fontSize: 11 },
    },
  }
}

/** Draws a chart in a box: when it is there, when what it shows changes, and as wide as the box is. */
export function useChart(box: () => HTMLElement | null, option: (paint: Paint) => EChartsCoreOption, shown: WatchSource): void {
  let chart: ECharts | undefined
  let observer: ResizeObserver | undefined
  const draw = (): void => chart?.setOption(option(paint()), true)

  onMounted(() => {
    const of = box()
    if (of === null) return
    chart = init(of)
    observer = new ResizeObserver(() => chart?.resize())
    observer.observe(of)
    draw()
  })
  onBeforeUnmount(() => {
    observer?.disconnect()
    chart?.dispose()
  })
  watch(shown, draw)
}
