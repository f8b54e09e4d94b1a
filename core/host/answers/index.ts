export { type Answer, Answers, defaultAnswersFolder, type RequiredObjects } from "./answers.ts";
export { presentOrNot, type Stamps, stampAll, type Watched } from "./watched.ts";
