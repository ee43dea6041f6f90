/** Names of what the API answers, as the pages call it. `api.d.ts` is made from its OpenAPI document. */
import type { components } from "./api.js";

type Schemas = components["schemas"];

export type Ask = Schemas["AskRow"];
/** The plan is shown as far as it has the shape of a job: clients can store any. */
export type Dag = Omit<Schemas["DagRow"], "result"> & { result: any };
export type Attempt = Schemas["StepAttempt"];
export type ComparedResult = Schemas["ComparedResult"];
export type ComparedRun = Schemas["ComparedRun"];
export type ComparedStep = Schemas["ComparedStep"];
export type Comparison = Schemas["Comparison"];
export type Execution = Schemas["ExecutionRow"];
export type ExecutionDetail = Schemas["ExecutionDetail"];
export type Goal = Schemas["ListedGoal"];
export type Hit = Schemas["Hit"];
export type LimitRow = Schemas["LimitRow"];
export type Ruling = Schemas["Ruling"];
export type Run = Schemas["RunRow"];
export type RunBudget = Schemas["RunBudget"];
export type StepPrompt = Schemas["StepPrompt"];
export type Turn = Schemas["RunStepRow"];
/** A step of a run, or of a plan that has not run: then it has no times and no result. */
export type Step = Partial<Omit<Schemas["SubStepRow"], "taskId" | "status" | "dependencies">> & {
  taskId: string;
  status: string;
  dependencies: string[];
};
