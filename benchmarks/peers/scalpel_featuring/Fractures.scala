package scalpel

import org.apache.spark.sql.{Dataset, SparkSession}

/** The four fracture rules of the fall study. */
class Fractures(spark: SparkSession, study: Study, codes: Codes) extends Serializable {
  import spark.implicits._

  /** One outcome for each person, site, rule and day, with its highest severity; then one for each fall. */
  def outcomes(events: String => Dataset[Event]): Dataset[Event] = {
    val acts = events("dcir_acts")
    val found = hospitalized(events)
      .union(outpatient(acts, "liberal", "liberal_act"))
      .union(outpatient(events("mco_ce_acts"), "public_ambulatory", "public_ambulatory_act"))
      .union(outpatient(acts, "private_ambulatory", "private_ambulatory_act"))
    val strongest = found
      .groupByKey((o: Event) => (o.patientID, o.groupID, o.value, o.start))
      .reduceGroups((a: Event, b: Event) => if (a.weight >= b.weight) a else b)
      .map { case (_, o: Event) => o }
    onePerFall(strongest)
  }

  /** Fracture diagnoses of stays whose main diagnosis is one, without stays that remove material. */
  private def hospitalized(events: String => Dataset[Event]): Dataset[Event] = {
    val main = events("mco_main_diagnoses")
    val all = main.union(events("mco_linked_diagnoses")).union(events("mco_associated_diagnoses"))
    val acts = events("mco_acts")
    def stays(of: Dataset[Event]) = of.map((e: Event) => e.groupID).distinct().toDF("groupID")
    val removal = stays(acts.filter((act: Event) => codes.materialRemoval.contains(act.value)))
    val kept = all
      .join(stays(main), Seq("groupID"), "left_semi")
      .join(removal, Seq("groupID"), "left_anti")
      .as[Event]
    val deaths = events("hospital_stays").filter((stay: Event) => stay.value == "death")
    val surgery = acts.filter((act: Event) => codes.surgery.contains(act.value))
    val levels = severity(deaths, 4.0).union(severity(surgery, 3.0))
    val severe = levels.groupBy("stay").max("severity").toDF("stay", "severity")
    kept
      .joinWith(severe.as[(String, Double)], kept("groupID") === severe("stay"), "left_outer")
      .map { case (diagnosis, found) =>
        val weight = Option(found).fold(2.0)(_._2) // null: no death and no surgery in the stay
        outcome(diagnosis, "hospital_stay", weight)
      }
  }

  private def severity(events: Dataset[Event], level: Double) =
    events.map((e: Event) => (e.groupID, level)).distinct().toDF("stay", "severity")

  private def outpatient(acts: Dataset[Event], provenance: String, rule: String): Dataset[Event] =
    acts
      .filter((act: Event) => act.groupID == provenance && codes.outpatientActs.contains(act.value))
      .map((act: Event) => outcome(act, rule, 1.0))

  private def outcome(event: Event, rule: String, weight: Double): Event =
    Event(event.patientID, "outcome", codes.site(event.value), rule, weight, event.start, None)

  /** The first of each chain of outcomes at one site, each less than the frame after the one before it. */
  private def onePerFall(outcomes: Dataset[Event]): Dataset[Event] = {
    val frame = study.fallFrameMonths
    outcomes
      .groupByKey((o: Event) => (o.patientID, o.groupID))
      .flatMapGroups { (_: (Long, String), group: Iterator[Event]) =>
        val sorted = group.toSeq.sortBy(o => (o.start.getTime, -o.weight, o.value))
        val before = None +: sorted.map(o => Some(o.start))
        sorted.zip(before).collect {
          case (o, last) if last.forall(day => !o.start.before(Days.plusMonths(day, frame))) => o
        }
      }
  }
}
