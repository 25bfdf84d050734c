import type { z } from 'zod';
import type { Graph, State } from './language.ts';

const targets = (state: State) => [
  ...('Next' in state ? [state.Next] : []),
  ...('Catch' in state ? state.Catch.map((catcher) => catcher.Next) : []),
  ...(state.Type === 'Choice' ? [...state.Choices.map((rule) => rule.Next), state.Default] : []),
];

/** Every target is there, and every state leads somewhere or ends. */
export function connected(graph: Graph, context: z.RefinementCtx) {
  const issue = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  if (!graph.States[graph.StartAt]) issue(['StartAt'], `there is no state "${graph.StartAt}"`);
  for (const [name, state] of Object.entries(graph.States)) {
    for (const target of targets(state)) {
      if (target && !graph.States[target]) issue(['States', name], `there is no state "${target}" beside it`);
    }
    const ends = state.Type === 'Choice' || state.Type === 'Succeed' || state.Type === 'Fail';
    if (!ends && (state.Next === undefined) === (state.End === undefined)) {
      issue(['States', name], 'exactly one of Next and End is needed');
    }
  }
}

const inner = (state: State): Graph[] => {
  if (state.Type === 'Parallel') return state.Branches;
  return state.Type === 'Map' ? [state.ItemProcessor] : [];
};
const stateNames = ({ States }: Graph): string[] =>
  Object.entries(States).flatMap(([name, state]) => [name, ...inner(state).flatMap(stateNames)]);

/** Names of states are unique in the whole machine. */
export function unambiguous(machine: Graph, context: z.RefinementCtx) {
  const names = stateNames(machine);
  for (const name of new Set(names.filter((name, index) => names.indexOf(name) < index))) {
    context.addIssue({
      code: 'custom',
      path: ['States', name],
      message: 'the machine has another of this name',
    });
  }
}
