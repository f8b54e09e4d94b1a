export const value = { one: 1 };

export default "by default";
