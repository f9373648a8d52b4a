"""Budget lines 预算项目: money appropriated, allotted, adjusted, set aside, paid, returned, closed and carried over; never overspent.

Other slices decide on a line inside their own joint rules: `budget_line.BUDGET_LINE` with `commands.Reserve`, `Void`, `Post`, `Return`.
"""
