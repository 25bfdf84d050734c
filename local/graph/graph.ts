export type Properties = Record<string, unknown>;

/** One resource as the program asked for it. */
export interface Resource {
  urn: string;
  /** `aws:sqs/queue:Queue` */
  type: string;
  /** logical name */
  name: string;
  kind: 'custom' | 'component' | 'read' | 'stack';
  parent?: string;
  id?: string;
  inputs: Properties;
  /** inputs and what the provider would compute */
  outputs: Properties;
  /** paths of the inputs that are secrets; their values stand in `inputs` in clear: keep a graph in memory */
  secrets: string[];
  options: {
    protect: boolean;
    retainOnDelete: boolean;
    dependsOn: string[];
    provider: string;
    ignoreChanges: string[];
  };
}

export interface Graph {
  project: string;
  stack: string;
  /** in the order of their URNs */
  resources: Resource[];
  outputs: Properties;
  /** what keeps the graph from being complete; empty for a sound program */
  problems: string[];
}
