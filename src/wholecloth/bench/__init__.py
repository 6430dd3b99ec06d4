"""How well and how fast: figures over a folder of cases that anybody can bring or draw.

A folder holds ``cases.jsonl``, one object a line: ``id``, ``class`` (A-E, S or any other name),
``original``, ``published`` (paths relative to the folder) and, where known, ``mask``,
``mask_source`` and ``H_original_to_published``.  Class D is benign, class E holds distractors.
Localisation is scored only against masks whose source begins with ``given`` or ``recovered``.
"""
